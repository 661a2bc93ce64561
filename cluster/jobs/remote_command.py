"""A command prepared for a cluster: checked on this machine, with absolute paths and explicit names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from cluster.commands.retrain import retrain
from cluster.commands.train import train
from cluster.commands.tune import tune
from cluster.options.option_values import bars_given, holds_secret, resolved_config
from cluster.options.retrain_options import retrain_options
from cluster.options.sweep_options import sweep_options
from configs.errors import ConfigError
from configs.load import config_hash
from configs.schema import Config

_VERBS: dict[str, Callable[..., None]] = {"train": train, "tune": tune, "retrain": retrain}
_SHIPPED = ("config", "address")
_OF_CLUSTER = {  # options whose value from the environment may have a password, and what is used instead
    "storage": "studies are stored where the cluster's own FLEETCAST_STUDIES says, by default in the store",
    "database": "the journal is that of the cluster's own FLEETCAST_DATABASE, by default in the store",
}


@dataclass(frozen=True, slots=True)
class RemoteCommand:
    """The ``arguments`` of a verb in a fixed order, the ``config`` file to ship, and ``notes`` for the user."""

    arguments: tuple[str, ...]
    config: str | None
    notes: tuple[str, ...]


def remote_command(verb: str, given: Sequence[str], *, gpus: bool = False) -> RemoteCommand:
    """Return the command that a cluster runs; equal commands give equal arguments.

    Local paths become absolute. A sweep gets a name and resumes an earlier one of that name, so that the same
    submission twice is one sweep.

    Raises
    ------
    ConfigError
        The verb or the configuration is invalid, or the command contains a password, which the cluster would show.
    """
    if verb not in _VERBS:
        raise ConfigError(f"{verb!r} cannot be submitted. Give {' or '.join(_VERBS)}, and then its options.")
    if verb == "retrain" and gpus:
        raise ConfigError("--gpus is not for retrain: a kind is trained by its champion's settings. Leave it out.")
    command, values, from_environment = parsed(verb, given)
    overrides = [*(values.get("overrides") or []), *(["run.use_gpu=true"] if gpus else [])]
    values["overrides"] = overrides
    config = _resolved(verb, values)
    notes = _make_absolute(values, config)
    for name, note in _OF_CLUSTER.items():
        if name in from_environment:
            values[name] = None
            notes.append(note)
    for name, value in values.items():
        _check_secrets(name, value)
    if verb == "tune":
        values["begin_or_resume"], values["resume"] = True, False
        named = {
            key: value
            for key, value in values.items()
            if key not in ("config", "address", "as_json") and "resume" not in key
        }
        values["study"] = (
            values.get("study") or f"{values['kind']}-{config_hash(config.model_dump(mode='json'), named)}"
        )
    return RemoteCommand(tuple(spelled(command, values, leave=_SHIPPED)), values.get("config"), tuple(notes))


def _resolved(verb: str, values: dict[str, Any]) -> Config:
    """Check the options of a command as the command itself does, and return its configuration."""
    if verb == "retrain":
        return retrain_options(*(values[name] for name in ("due", "force", "kinds", "config", "overrides")))[1]
    files = bars_given(values["bars"], values["more_bars"])
    if verb == "train":
        return resolved_config(values["preset"], values["config"], files, values["symbols"], values["overrides"])
    names = ("kind", "preset", "config", "symbols", "trials", "time_budget", "study", "overrides")
    return sweep_options(**{name: values[name] for name in names}, bars=files, resume=False)[1]


def _make_absolute(values: dict[str, Any], config: Config) -> list[str]:
    """Make local paths in ``values`` absolute, and return notes on them."""
    notes = []
    for name in ("store", "bars"):
        place = values.get(name)
        if place is not None and _is_local(place):
            values[name] = _absolute(place)
            notes.append(f"every node of the cluster must reach {values[name]} (--{name})")
    if "more_bars" in values:
        values["more_bars"] = [_absolute(path) for path in values["more_bars"] or ()]
    read = [config.data.bars] if isinstance(config.data.bars, str) else config.data.bars
    relative = [path for path in read if _is_local(path) and not Path(path).is_absolute()]
    if relative:
        raise ConfigError(f"data.bars={relative[0]!r} is relative to this machine. Give an absolute path or a URI.")
    databases = {f"--{name}": values[name] for name in _OF_CLUSTER if name in values}
    if "database" in values:
        databases["journal.url"] = config.journal.url
        if not any(map(_is_server, databases.values())):
            notes.append("a journal that is a SQLite file must be on the machine that runs the job; see journal.url")
    for name, url in databases.items():
        if url is not None and url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
            raise ConfigError(f"{name} {url!r} is relative to this machine. Give sqlite:////an/absolute/path.")
    return notes


def _absolute(place: str) -> str:
    return str(Path(place).expanduser().absolute()) if _is_local(place) else place


def _is_local(place: str) -> bool:
    return "://" not in place and place not in ("lake", "embedded", "yahoo")


def _is_server(database: str | None) -> bool:
    return database is not None and not database.startswith("sqlite:")


def _check_secrets(name: str, value: Any) -> None:
    """Refuse a value with a password: everyone with access to the cluster sees a job's command."""
    for text in value if isinstance(value, list | tuple) else [value]:
        if isinstance(text, str) and holds_secret(text):
            raise ConfigError(
                f"--{name} holds a secret, and everyone with access to the cluster can read a job's command. Set it "
                "in the cluster's environment instead (FLEETCAST_STUDIES for --storage, FLEETCAST_DATABASE for "
                "--database, the usual variables for S3)."
            )


def parsed(verb: str, given: Sequence[str]) -> tuple[Any, dict[str, Any], set[str]]:
    """Return the verb's parser, the parsed values, and the names of values from environment variables.

    Invalid usage raises click's own error.
    """
    app = typer.Typer()
    app.command(verb)(_VERBS[verb])
    command = typer.main.get_command(app)
    context = command.make_context(f"fleetcast {verb}", list(given))
    sources = {name: context.get_parameter_source(name) for name in context.params}
    found = {name for name, source in sources.items() if source is not None and source.name == "ENVIRONMENT"}
    return command, dict(context.params), found


def spelled(command: Any, values: dict[str, Any], leave: Sequence[str] = ()) -> list[str]:
    """Return the options that differ from their defaults as arguments, in the order of declaration."""
    out: list[str] = []
    for option in command.params:
        value = values.get(option.name)
        if option.name in leave or value is None or value == option.default or value in ([], ()):
            continue
        if value is True:
            out.append(option.opts[0])
        elif value is not False:
            flag = option.opts[:1] if option.param_type_name == "option" else []
            for item in value if isinstance(value, list | tuple) else [value]:
                out += [*flag, str(getattr(item, "value", item))]
    return out

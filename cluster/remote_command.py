"""A command of this machine as a cluster's: checked here, with what a path or a name means here spelled out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from cluster.commands.train import train
from cluster.commands.tune import tune
from cluster.options import resolved_config
from configs.errors import ConfigError
from configs.load import config_hash

_VERBS: dict[str, Callable[..., None]] = {"train": train, "tune": tune}
_SHIPPED = ("config", "address")


@dataclass(frozen=True, slots=True)
class RemoteCommand:
    """The ``arguments`` of a verb in a fixed order, the ``config`` file to ship, and what the user should know."""

    arguments: tuple[str, ...]
    config: str | None
    notes: tuple[str, ...]


def remote_command(verb: str, given: Sequence[str], *, gpus: bool = False) -> RemoteCommand:
    """Return a command as a cluster is to run it; equal commands give equal arguments.

    Local paths are made absolute. A sweep has a name and goes on where it was, so that the same submission twice is
    one sweep.

    Raises
    ------
    ConfigError
        The verb or the configuration is none, or the command would show a password to whoever sees the cluster's jobs.
    """
    if verb not in _VERBS:
        raise ConfigError(f"{verb!r} cannot be submitted. Give {' or '.join(_VERBS)}, and then its options.")
    command, values, from_environment = _parsed(verb, given)
    overrides = [*(values.get("overrides") or []), *(["run.use_gpu=true"] if gpus else [])]
    resolved_config(values.get("preset"), values.get("config"), values.get("bars"), values.get("symbols"), overrides)
    notes = []
    for name in ("store", "bars"):
        path = values.get(name)
        if path is not None and "://" not in path and path not in ("lake", "embedded"):
            values[name] = str(Path(path).expanduser().absolute())
            notes.append(f"every node of the cluster must reach {values[name]} (--{name})")
    if "storage" in from_environment:
        values["storage"] = None
        notes.append("studies are kept where FLEETCAST_STUDIES says in the cluster's environment, or in the store")
    elif values.get("storage") and urlsplit(values["storage"]).password:
        raise ConfigError(
            "--storage holds a password, and a job's command can be read by everybody who sees the cluster. Set "
            "FLEETCAST_STUDIES in the cluster's environment instead."
        )
    values["overrides"] = overrides
    if verb == "tune":
        values["resume"] = True
        values["study"] = values.get("study") or f"{values['kind']}-{config_hash(sorted(map(str, values.items())))}"
    return RemoteCommand(tuple(_spelled(command, values)), values.get("config"), tuple(notes))


def _parsed(verb: str, given: Sequence[str]) -> tuple[Any, dict[str, Any], set[str]]:
    """Return the verb as its parser sees it, its values, and which came from the environment.

    A usage error is the parser's own.
    """
    app = typer.Typer()
    app.command(verb)(_VERBS[verb])
    command = typer.main.get_command(app)
    context = command.make_context(f"fleetcast submit {verb}", list(given))
    sources = {name: context.get_parameter_source(name) for name in context.params}
    found = {name for name, source in sources.items() if source is not None and source.name == "ENVIRONMENT"}
    return command, dict(context.params), found


def _spelled(command: Any, values: dict[str, Any]) -> list[str]:
    """Return the options that differ from their defaults, in the order in which the verb declares them."""
    out: list[str] = []
    for option in command.params:
        value = values.get(option.name)
        if option.name in _SHIPPED or value is None or value == option.default or value in ([], ()):
            continue
        if value is True:
            out.append(option.opts[0])
        elif value is not False:
            for one in value if isinstance(value, list | tuple) else [value]:
                out += [option.opts[0], str(getattr(one, "value", one))]
    return out

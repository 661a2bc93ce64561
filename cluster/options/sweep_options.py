"""The options of ``fleetcast tune`` resolved together, for a sweep of this machine or of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cluster.options.option_values import duration_s, kind_named, resolved_config
from configs.errors import ConfigError

if TYPE_CHECKING:
    from configs.schema import Config
    from configs.values import Kind


def sweep_options(
    kind: str,
    preset: str | None,
    config: str | None,
    bars: str | Sequence[str] | None,
    symbols: str | None,
    trials: int | None,
    time_budget: str | None,
    study: str | None,
    resume: bool,
    overrides: Sequence[str] | None,
) -> tuple[Kind, Config, float | None]:
    """Return the kind of model, the configuration, and the seconds in which trials may begin.

    Raises
    ------
    ConfigError
        An option or the search space is invalid.
    """
    from configs.layers import of_option

    wanted = kind_named(kind)
    settings = [of_option(f"--trials {trials}", "tune.trials", trials)] if trials is not None else []
    resolved = resolved_config(preset, config, bars, symbols, [*(overrides or []), *settings])
    from tuning.space import space_of

    space_of(resolved, wanted)
    if resume and study is None:
        raise ConfigError("--resume needs the name of a study. Give it with --study.")
    return wanted, resolved, None if time_budget is None else duration_s("--time-budget", time_budget)


def repeated(
    preset: str | None,
    config: str | None,
    bars: Sequence[str],
    symbols: str | None,
    overrides: Sequence[str],
) -> list[str]:
    """Return the options of a sweep that decide on the data and settings, for a command that trains on the same."""
    options = [part for name, value in (("--preset", preset), ("--config", config)) if value for part in (name, value)]
    options += ["--bars", *bars] if bars else []
    options += ["--symbols", symbols] if symbols is not None else []
    return options + [part for text in overrides if not text.startswith("tune.") for part in ("--set", text)]

"""What the options of ``fleetcast tune`` mean together; also for a sweep that another machine will run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cluster.options import duration_s, kind_named, resolved_config
from configs.errors import ConfigError

if TYPE_CHECKING:
    from configs.schema import Config
    from configs.values import Kind


def sweep_options(
    kind: str,
    preset: str | None,
    config: str | None,
    bars: str | None,
    symbols: str | None,
    trials: int | None,
    time_budget: str | None,
    study: str | None,
    resume: bool,
    overrides: Sequence[str] | None,
) -> tuple[Kind, Config, float | None]:
    """Return the kind, the configuration and the seconds within which trials begin.

    Raises
    ------
    ConfigError
        An option means nothing, or the space of the sweep cannot be.
    """
    from tuning.space import space_of

    wanted = kind_named(kind)
    settings = [f"tune.trials={trials}"] if trials is not None else []
    resolved = resolved_config(preset, config, bars, symbols, [*(overrides or []), *settings])
    space_of(resolved, wanted)
    if resume and study is None:
        raise ConfigError("--resume needs the name of a study. Give it with --study.")
    return wanted, resolved, None if time_budget is None else duration_s("--time-budget", time_budget)

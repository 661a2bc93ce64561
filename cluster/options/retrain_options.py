"""Options of ``fleetcast retrain``, checked before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cluster.options.option_values import kind_named, names
from configs.errors import ConfigError
from configs.load import load_config

if TYPE_CHECKING:
    from configs.schema import Config
    from configs.values import Kind


def retrain_options(
    due: bool, force: bool, kinds: str | None, config: str | None, overrides: Sequence[str] | None
) -> tuple[list[Kind], Config]:
    """Return the kinds that are named, none for all, and the configuration.

    Raises
    ------
    ConfigError
        The options exclude each other, a kind does not exist, or the configuration is invalid.
    """
    if due and force:
        raise ConfigError("--due and --force exclude each other: --force trains what is not due too. Give one of them.")
    wanted = [] if kinds is None else [kind_named(one) for one in names("--kinds", kinds)]
    return wanted, load_config(None, config, overrides or [])

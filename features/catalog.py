"""The catalog of feature families: every module of :mod:`features.indicators`, sorted by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import lru_cache

from configs.data import FeatureConfig
from configs.errors import ConfigError
from features import indicators
from features.indicators._spec import FeatureSpec
from features.inputs import Layout


@lru_cache(maxsize=1)
def all_specs() -> tuple[FeatureSpec, ...]:
    """Return the ``SPEC`` of every module in ``features/indicators`` that does not start with an underscore."""
    names = sorted(m.name for m in pkgutil.iter_modules(indicators.__path__) if not m.name.startswith("_"))
    return tuple(importlib.import_module(f"{indicators.__name__}.{name}").SPEC for name in names)


def choose_specs(wanted: Sequence[str]) -> tuple[FeatureSpec, ...]:
    """Return the families with these names or of these groups; all if ``wanted`` is empty.

    Raises
    ------
    ConfigError
        A name is neither a family nor a group.
    """
    specs = all_specs()
    groups = sorted({spec.group for spec in specs})
    known = {spec.name for spec in specs} | set(groups)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ConfigError(
            f"features.technical_indicators has {', '.join(map(repr, unknown))}. Choose from the groups "
            f"{', '.join(groups)}, or the families {', '.join(spec.name for spec in specs)}."
        )
    return tuple(s for s in specs if not wanted or s.name in wanted or s.group in wanted)


def describe_features(config: FeatureConfig | None = None) -> list[tuple[str, str, str]]:
    """Return ``(column, group, description)`` of every feature of a configuration, in order.

    The columns of market series depend on the series of a run; they are listed as ``context_<series>_…``.
    """
    config = config or FeatureConfig()
    layout = Layout(config.lookback_periods, ("context_<series>_…",))
    specs = choose_specs(config.technical_indicators)
    return [(column, s.group, s.description) for s in specs for column in s.columns(layout)]

"""The catalog of feature families: every module of :mod:`features.indicators`, sorted by name."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from configs.data import FeatureConfig
from configs.errors import ConfigError
from configs.feature_groups import ALTERNATIVE_GROUPS, FEATURE_GROUPS, spelled
from features import indicators
from features.indicators._spec import FeatureSpec
from features.inputs import Layout

_ALSO = {"bbands": "bollinger", "bollinger_bands": "bollinger", "stoch": "stochastic", "willr": "williams"}


class Chosen(NamedTuple):
    """A family, the columns to use of it, and whether they are named rather than a group that they are in."""

    spec: FeatureSpec
    columns: tuple[str, ...]
    is_named: bool


@cache
def all_specs() -> tuple[FeatureSpec, ...]:
    """Return the ``SPEC`` of every module in ``features/indicators`` that does not start with an underscore."""
    names = sorted(m.name for m in pkgutil.iter_modules(indicators.__path__) if not m.name.startswith("_"))
    return tuple(importlib.import_module(f"{indicators.__name__}.{name}").SPEC for name in names)


def choose_features(wanted: Sequence[str], layout: Layout, without: Sequence[str] = ()) -> tuple[Chosen, ...]:
    """Return the features with these names, in the order of the catalog; all if ``wanted`` is empty.

    Those of the groups in ``without`` are left out.

    A name is a group (``momentum``), a family (``moving_average``), or what columns of a family begin with (``sma``,
    ``ema``), in any case.

    Raises
    ------
    ConfigError
        A name is none of these.
    """
    names = [_ALSO.get(name, name) for name in map(spelled, wanted)]
    chosen, used = list[Chosen](), set[str]()
    for spec in all_specs():
        columns = spec.columns(layout)
        of_name = {name: _columns_of(name, spec, columns) for name in names}
        found = {column for part in of_name.values() for column in part}
        is_wanted = found or not names or spec.name in names or spec.group in names
        if is_wanted and spec.group not in without:
            kept = tuple(column for column in columns if not names or column in found)
            is_named = any(name != spec.group and part for name, part in of_name.items())
            chosen.append(Chosen(spec, kept, is_named or (spec.name in names and spec.group in ALTERNATIVE_GROUPS)))
        used |= {name for name, part in of_name.items() if part} | ({spec.name, spec.group} & set(names))
    if unknown := [given for given, name in zip(wanted, names, strict=True) if name not in used]:
        families = [spec.name for spec in all_specs()]
        close = difflib.get_close_matches(spelled(unknown[0]), [*FEATURE_GROUPS, *families], 1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"features.technical_indicators has {', '.join(map(repr, unknown))}. {hint}Choose from the groups "
            f"{', '.join(FEATURE_GROUPS)}, the families {', '.join(families)}, or the beginnings of their columns, "
            "such as sma."
        )
    return tuple(chosen)


def describe_features(config: FeatureConfig | None = None) -> list[tuple[str, str, str]]:
    """Return ``(column, group, description)`` of every feature of a configuration, in order.

    The columns of market series and alternative data depend on the series of a run; they are listed as
    ``context_<series>_…``, ``options_<series>_…`` and so on.
    """
    config = config or FeatureConfig()
    layout = Layout(config.lookback_periods, tuple(f"{group}_<series>_…" for group in ("context", *ALTERNATIVE_GROUPS)))
    chosen = choose_features(config.technical_indicators, layout, config.without)
    return [(column, one.spec.group, one.spec.description) for one in chosen for column in one.columns]


def _columns_of(name: str, spec: FeatureSpec, columns: Sequence[str]) -> tuple[str, ...]:
    if name in (spec.name, spec.group):
        return tuple(columns)
    if name in _names():
        return ()
    return tuple(column for column in columns if column == name or column.startswith(f"{name}_"))


@cache
def _names() -> frozenset[str]:
    """Return the names of all groups and families."""
    return frozenset(name for spec in all_specs() for name in (spec.name, spec.group))

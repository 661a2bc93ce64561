"""The groups of features, by which families are chosen and left out."""

from __future__ import annotations

import difflib
from typing import Literal, get_args

AlternativeGroup = Literal["sentiment", "options", "macro", "events", "weather"]
BarGroup = Literal["trend", "momentum", "volatility", "volume", "microstructure", "calendar", "cross_asset", "context"]
FeatureGroup = BarGroup | AlternativeGroup

ALTERNATIVE_GROUPS: tuple[AlternativeGroup, ...] = get_args(AlternativeGroup)
FEATURE_GROUPS: tuple[FeatureGroup, ...] = tuple(sorted((*get_args(BarGroup), *ALTERNATIVE_GROUPS)))


def group_of_column(column: str) -> AlternativeGroup | None:
    """Return the group of a feature's column, or None if it is not of alternative data."""
    return next((group for group in ALTERNATIVE_GROUPS if column.startswith(f"{group}_")), None)


def spelled(name: str) -> str:
    """Return a name of a group or family in lower case, with underscores."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def known_groups(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of groups as given; ``ValueError`` says which exist if one does not."""
    others = sorted(set(names).difference(FEATURE_GROUPS))
    if not others:
        return names
    of_column = group_of_column(others[0])
    meant = [of_column] if of_column else difflib.get_close_matches(spelled(others[0]), FEATURE_GROUPS, 1)
    hint = f"did you mean {meant[0]!r}? " if meant else ""
    raise ValueError(
        f"{', '.join(map(repr, others))} is no group of features; {hint}expected some of {', '.join(FEATURE_GROUPS)}"
    )

"""The groups of features, by which families are chosen and left out."""

from __future__ import annotations

import difflib
from typing import Literal, get_args

AlternativeGroup = Literal["sentiment", "options", "macro", "events", "weather"]
BarGroup = Literal["trend", "momentum", "volatility", "volume", "microstructure", "calendar", "cross_asset", "context"]
FeatureGroup = BarGroup | AlternativeGroup

ALTERNATIVE_GROUPS: tuple[AlternativeGroup, ...] = get_args(AlternativeGroup)
FEATURE_GROUPS: tuple[FeatureGroup, ...] = tuple(sorted((*get_args(BarGroup), *ALTERNATIVE_GROUPS)))


def known_groups(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of groups as given; ``ValueError`` says which exist if one does not."""
    others = sorted(set(names).difference(FEATURE_GROUPS))
    if not others:
        return names
    of_column = [group for group in ALTERNATIVE_GROUPS if others[0].startswith(f"{group}_")]
    spelled = others[0].strip().lower().replace("-", "_").replace(" ", "_")
    meant = of_column or difflib.get_close_matches(spelled, FEATURE_GROUPS, 1)
    hint = f"did you mean {meant[0]!r}? " if meant else ""
    raise ValueError(
        f"{', '.join(map(repr, others))} is no group of features; {hint}expected some of {', '.join(FEATURE_GROUPS)}"
    )

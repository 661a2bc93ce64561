"""What a feature family declares about itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from features.inputs import Float, Inputs, Layout

Need = Literal["range", "volume", "universe", "context"]
Group = Literal["trend", "momentum", "volatility", "volume", "microstructure", "calendar", "cross_asset", "context"]


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """A family of features: what it is called, what it needs, and how it is computed.

    ``columns(layout)`` names its k columns. ``compute(inputs)`` returns k arrays of shape (N,), in that order; row t
    depends on bars ≤ t only, and on prices and volume only up to scale. An undefined value may come out as NaN or
    ±inf and numpy's warnings may be raised: the caller silences them and turns every non-finite value into NaN.
    ``warmup(layout)`` is the first row from which all columns are defined on ordinary data. ``market_wide(layout)``
    names the columns that are equal for all symbols with the same trading days: they tell the days apart, not symbols.
    """

    name: str
    group: Group
    description: str
    columns: Callable[[Layout], tuple[str, ...]]
    compute: Callable[[Inputs], Sequence[Float]]
    warmup: Callable[[Layout], int]
    needs: frozenset[Need] = frozenset()
    market_wide: Callable[[Layout], tuple[str, ...]] = lambda layout: ()


def per_period(periods: Sequence[int], *names: str) -> tuple[str, ...]:
    """Return ``name_period`` for every period and, within it, every name."""
    return tuple(f"{name}_{period}" for period in periods for name in names)

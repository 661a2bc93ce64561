"""The declaration of a feature family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from configs.feature_groups import FeatureGroup
from features.inputs import Float, Inputs, Layout

Need = Literal["range", "volume", "universe", "context"]


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """A family of features: its name, the data it needs, and its computation.

    ``columns(layout)`` are the names of its k columns. ``compute(inputs)`` returns k arrays (N,), in that order; row t
    depends on bars ≤ t only, and not on the units of prices and volume. Undefined values may be NaN or ±inf, with
    numpy's warnings: the caller suppresses them and replaces non-finite values with NaN. ``warmup(layout)`` is the
    first row from which all columns are defined on ordinary data. ``market_wide(layout)`` are the columns that are
    equal for all symbols with the same trading days. ``is_windowed`` declares that a row is a function, to the last
    bit, of so many bars before it as the warm-up has (one more if the universe's rows are lagged), and of quantities
    of :class:`.Inputs`: the newest rows are then computed from the newest bars only.
    """

    name: str
    group: FeatureGroup
    description: str
    columns: Callable[[Layout], tuple[str, ...]]
    compute: Callable[[Inputs], Sequence[Float]]
    warmup: Callable[[Layout], int]
    needs: frozenset[Need] = frozenset()
    market_wide: Callable[[Layout], tuple[str, ...]] = lambda layout: ()
    is_windowed: bool = False


def per_period(periods: Sequence[int], *names: str) -> tuple[str, ...]:
    """Return ``name_period`` for every period and, within it, every name."""
    return tuple(f"{name}_{period}" for period in periods for name in names)

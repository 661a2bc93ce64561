"""Which of the panel's features a model uses: chosen on train rows, for all symbols or for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.data.examples import Int64

_SELECTION_ROWS = 50_000
_MARKET_WIDE = ("universe_", "context_", "breadth", "dispersion", "year_", "weekday_", "month_", "turn_of", "day_gap")


def own_columns(names: Sequence[str], columns: Int64) -> Int64:
    """Return those of the chosen features (1, k) that tell of the symbol itself, not of the day; all if none does."""
    own = [i for i in columns[0] if not names[i].startswith(_MARKET_WIDE)]
    return np.array([own], np.int64) if own else columns

"""Drawdowns of the same returns in other orders.

A shuffle changes the path and never the final value, so it says how bad the path could have been; it cannot say whether
the return was luck, and nothing here returns such a p-value.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.metrics.money import check_returns, max_drawdown
from training.metrics.ratio import Array

_CELLS = 65_536


def shuffled_drawdowns(returns: npt.ArrayLike, shuffles: int = 1_000, *, seed: int = 0) -> Array:
    """Return the largest drawdown (shuffles,), ≤ 0, of returns (T,) in random orders; equal for equal seeds.

    Raises
    ------
    ValueError
        There are no returns, or ``shuffles`` is below 1.
    """
    r = check_returns(np.asarray(returns, dtype=np.float64).ravel())
    if shuffles < 1:
        raise ValueError(f"shuffles has value {shuffles!r}; expected at least 1")
    rng = np.random.default_rng(seed)
    batch = max(_CELLS // len(r), 1)
    parts = [
        max_drawdown(rng.permuted(np.tile(r, (min(batch, shuffles - start), 1)), axis=1))
        for start in range(0, shuffles, batch)
    ]
    return np.concatenate(parts)

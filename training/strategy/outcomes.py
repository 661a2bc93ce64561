"""Log returns after each close, and when they became known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from training.strategy.series import Float, Ints, Mask


class Outcomes(NamedTuple):
    """Log returns (D, S) over the horizon that begins at each close, and the row (D, S) at whose close each is known.

    NaN and −1 where the symbol has no bar, or the horizon ends after the last date.
    """

    log_return: Float
    known: Ints


def outcomes(close: Float, has_bar: Mask, horizon: int) -> Outcomes:
    """Return the log returns (D, S) of each symbol's next ``horizon`` bars, NaN where not known yet; closes (D, S)."""
    log_return = np.full(close.shape, np.nan)
    known = np.full(close.shape, -1, dtype=np.int64)
    for s in range(close.shape[1]):
        rows = np.flatnonzero(has_bar[:, s])
        if len(rows) <= horizon:
            continue
        start, end = rows[:-horizon], rows[horizon:]
        log_return[start, s] = np.log(close[end, s] / close[start, s])
        known[start, s] = end
    return Outcomes(log_return, known)

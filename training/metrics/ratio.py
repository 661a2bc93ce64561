"""Array types of the metrics, and a division that gives NaN for an empty group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Array:
    """Return numerator / denominator (…), which broadcast; NaN where the denominator is zero."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0))

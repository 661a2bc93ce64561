"""The multiplicative level of a variance forecast.

Over all constants c, the QLIKE of c·f is least at ``c = mean(y / f)`` (Patton 2011, eq. 5, first-order condition), so
one number removes the bias that logs (Jensen) and proxies (close-to-close against range) leave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.models.volatility.fleet_state import Float, Ints, Mask

MOST = 100.0


@dataclass(frozen=True, slots=True)
class RatioSums:
    """Sums of y / f per symbol, ``total`` (S,), over ``count`` (S,) rows; they add up over blocks."""

    total: Float
    count: Float

    @classmethod
    def of(cls, target: Float, forecast: Float, index: Ints, rows: Mask | Float, size: int) -> RatioSums:
        """Sum y / f over the rows of a mask, or each row so many times, leaving out rows without a positive y and f.

        A ratio counts as at most ``MOST``: more is a broken bar, and one of them would set a short history's level.
        """
        ok = usable(target, forecast) & (rows > 0)
        ratio, weight = np.minimum(target[ok] / forecast[ok], MOST), np.asarray(rows, np.float64)[ok]
        total = np.bincount(index[ok], weights=weight * ratio, minlength=size)
        count = np.bincount(index[ok], weights=weight, minlength=size)
        return cls(total.astype(np.float64), count.astype(np.float64))

    def pooled(self) -> float:
        """Return the level over all symbols; 1 if there are no rows."""
        count = float(self.count.sum())
        return float(self.total.sum()) / count if count else 1.0

    def __add__(self, other: RatioSums) -> RatioSums:
        """Add the sums of another block of the same symbols, or of another block pooled to one row."""
        return RatioSums(self.total + other.total, self.count + other.count)

    def level(self, towards: float = 1.0, shrinkage: float = 0.0) -> Float:
        """Return each symbol's level (S,), shrunk to ``towards`` by that many pseudo-observations.

        A symbol without rows gets ``towards``.
        """
        weight = self.count + shrinkage
        out = np.full(len(weight), float(towards))
        np.divide(self.total + shrinkage * towards, weight, out=out, where=weight > 0)
        return out


def usable(target: Float, forecast: Float) -> Mask:
    """Return the rows whose QLIKE exists: target and forecast finite and positive."""
    return np.isfinite(target) & (target > 0) & np.isfinite(forecast) & (forecast > 0)

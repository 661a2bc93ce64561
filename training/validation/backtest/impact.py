"""Market impact by the square-root law, and how much of a bar's volume an order may fill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.validation.backtest.market import Float, Market

BARS = 20


def square_root_impact(
    participation: npt.ArrayLike, volatility: npt.ArrayLike, coefficient: npt.ArrayLike = 1.0
) -> Float:
    r"""Return the impact :math:`Y \sigma \sqrt{Q / V}` as a share of the price.

    An order of 1 % of the volume at a volatility of 2 % a bar moves the price by 20 basis points.

    References
    ----------
    Tóth et al. (2011). Anomalous price impact and the critical nature of liquidity in financial markets. PRX 1, 021006.
    """
    return np.asarray(np.asarray(coefficient) * np.asarray(volatility) * np.sqrt(participation), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Liquidity:
    """σ/√V before each bar, by which Y·√size is multiplied: computed only where there are orders.

    σ is the root mean square return and V the mean volume over the ``BARS`` instants before; a symbol's first bar,
    which has none before it, has its own range and volume. Running sums from the first instant on, (T + 1, S).
    """

    market: Market
    squares: Float
    volume: Float
    count: Float

    @classmethod
    def of(cls, market: Market) -> Liquidity:
        """Return the liquidity of a market."""
        instants, symbols = market.shape
        mark = market.mark
        change = np.zeros((instants + 1, symbols))
        np.divide(mark[1:], mark[:-1], out=change[2:], where=mark[:-1] > 0)
        change[2:] -= mark[:-1] > 0
        np.multiply(change, change, out=change)
        volume = np.zeros((instants + 1, symbols))
        volume[1:] = market.volume
        if market.has_bar.all():
            count = np.arange(instants + 1.0)[:, None]
        else:
            volume[1:][~market.has_bar] = 0.0
            count = np.zeros((instants + 1, symbols))
            np.cumsum(market.has_bar, axis=0, out=count[1:])
        np.cumsum(change, axis=0, out=change)
        np.cumsum(volume, axis=0, out=volume)
        return cls(market, change, volume, np.broadcast_to(count, change.shape))

    def at(self, rows: Any, columns: Any) -> Float:
        """Return σ/√V of orders filled at these rows and columns; 0 for series without volume."""
        first = np.maximum(rows - BARS, 0)
        squares = self.squares[rows, columns] - self.squares[first, columns]
        volume = self.volume[rows, columns] - self.volume[first, columns]
        count = self.count[rows, columns] - self.count[first, columns]
        # The first bar of a window of all bars has no return.
        returns = count - (self.count[first, columns] == 0)
        own = (returns <= 0) | (volume <= 0)
        scale = np.sqrt(np.maximum(squares, 0.0) * count / np.where(own, 1.0, returns * volume))
        if own.any():
            scale[own] = self._of_own_bar(*(np.broadcast_to(one, own.shape)[own] for one in (rows, self._all(columns))))
        return np.asarray(scale)

    def _all(self, columns: Any) -> Any:
        return np.arange(self.market.shape[1])[columns]

    def _of_own_bar(self, rows: Any, columns: Any) -> Float:
        high, low, volume = (getattr(self.market, name)[rows, columns] for name in ("high", "low", "volume"))
        variance = np.log(high / low) ** 2 / (4.0 * np.log(2.0))
        return np.asarray(np.sqrt(np.divide(variance, volume, out=np.zeros(len(volume)), where=volume > 0)))


def capped(order: npt.ArrayLike, volume: npt.ArrayLike, cap: float | None) -> Float:
    """Return the part of orders (signed) that is filled: at most ``cap`` times the bar's volume.

    Without a cap, and where volume is NaN because the series has none, all of it.
    """
    size = np.asarray(order, dtype=np.float64)
    if cap is None:
        return size
    most = np.where(np.isnan(np.asarray(volume, dtype=np.float64)), np.inf, cap * np.asarray(volume, dtype=np.float64))
    return np.asarray(np.clip(size, -most, most))

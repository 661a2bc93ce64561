"""Market impact by the square-root law, and how much of a bar's volume an order may fill."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from training.validation.backtest.market import Float, Market

BARS = 20
_CHUNK = 64  # rows at a time stay in the cache


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


def impact_scale(market: Market, bars: int = BARS) -> Float:
    """Return σ/√V (T, S) before each bar, by which Y·√size is multiplied; 0 for series without volume.

    σ is the root mean square return and V the mean volume over the ``bars`` instants before; a symbol's first bar,
    which has none before it, has its own range and volume. A market's matrix is computed once.
    """
    known = _KNOWN.get(market)
    if known is None or known[0] != bars:
        known = _KNOWN[market] = (bars, _impact_scale(market, bars))
    return known[1]


_KNOWN: WeakKeyDictionary[Market, tuple[int, Float]] = WeakKeyDictionary()


def _impact_scale(market: Market, bars: int) -> Float:
    instants, symbols = market.shape
    squares, volume, count = (np.zeros((instants + 1, symbols)) for _ in range(3))
    mark = market.mark
    np.divide(mark[1:], mark[:-1], out=squares[2:], where=mark[:-1] > 0)
    squares[2:] -= mark[:-1] > 0
    np.multiply(squares, squares, out=squares)
    volume[1:] = market.volume
    complete = bool(market.has_bar.all())
    if not complete:
        volume[1:][~market.has_bar] = 0.0
        np.cumsum(market.has_bar, axis=0, out=count[1:])
    np.cumsum(squares, axis=0, out=squares)
    np.cumsum(volume, axis=0, out=volume)
    out = np.empty((instants, symbols))
    for start in range(0, instants, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, instants))
        first = np.maximum(rows - bars, 0)
        now = slice(start, start + len(rows))
        n = (rows - first)[:, None] if complete else count[now] - count[first]
        # The first bar of all has no return.
        returns = n - ((first == 0)[:, None] if complete else count[first] == 0)
        traded = volume[now] - volume[first]
        own = (returns <= 0) | (traded <= 0)
        total = np.maximum(squares[now] - squares[first], 0.0) * n
        out[now] = np.sqrt(total / np.where(own, 1.0, returns * traded))
        if own.any():
            high, low, single = (getattr(market, name)[now][own] for name in ("high", "low", "volume"))
            variance = np.log(high / low) ** 2 / (4.0 * np.log(2.0))
            out[now][own] = np.sqrt(np.divide(variance, single, out=np.zeros(len(single)), where=single > 0))
    return out


def capped(order: npt.ArrayLike, volume: npt.ArrayLike, cap: float | None) -> Float:
    """Return the part of orders (signed) that is filled: at most ``cap`` times the bar's volume.

    Without a cap, and where volume is NaN because the series has none, all of it.
    """
    size = np.asarray(order, dtype=np.float64)
    if cap is None:
        return size
    most = np.where(np.isnan(np.asarray(volume, dtype=np.float64)), np.inf, cap * np.asarray(volume, dtype=np.float64))
    return np.asarray(np.clip(size, -most, most))

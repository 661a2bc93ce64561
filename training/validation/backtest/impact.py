"""Market impact by the square-root law, and how much of a bar's volume an order may fill."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from features.rolling import add_windows
from training.validation.backtest.market import Float, Market

BARS = 20
_CHUNK = 64  # rows at a time stay in the cache


def square_root_impact(
    participation: npt.ArrayLike, volatility: npt.ArrayLike, coefficient: npt.ArrayLike = 1.0
) -> Float:
    r"""Return the impact :math:`Y \sigma \sqrt{Q / V}` as a share of the price.

    ``participation`` is the order's share of the volume, ``volatility`` that of a bar; they broadcast. An
    order of 1 % of the volume at a volatility of 2 % a bar moves the price by 20 basis points.

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
    """Return what :func:`impact_scale` does; a row depends on the ``bars`` rows before it, and no older one."""
    instants, symbols = market.shape
    complete = bool(market.has_bar.all())
    squares, volume = np.zeros((instants + bars, symbols)), np.zeros((instants + bars, symbols))
    mark, earlier = market.mark, market.mark_before
    change, known = squares[bars:], earlier > 0
    np.divide(mark, earlier, out=change, where=known)
    change -= known
    np.multiply(change, change, out=change)
    volume[bars:] = market.volume
    has_bar = None
    if not complete:
        volume[bars:][~market.has_bar] = 0.0
        has_bar = np.concatenate([np.zeros((bars, symbols)), market.has_bar])
    out = np.empty((instants, symbols))
    total, traded, n = (np.empty((_CHUNK, symbols)) for _ in range(3))
    for start in range(0, instants, _CHUNK):
        stop = min(start + _CHUNK, instants)
        rows, padded = stop - start, slice(start, stop + bars - 1)
        first = np.maximum(np.arange(start, stop) - bars, 0)
        add_windows(squares[padded], bars, total[:rows])
        add_windows(volume[padded], bars, traded[:rows])
        if has_bar is None:
            n[:rows] = (np.arange(start, stop) - first)[:, None]
        else:
            add_windows(has_bar[padded], bars, n[:rows])
        # The first bar of all has no return.
        returns = n[:rows] - ~known[first]
        own = (returns <= 0) | (traded[:rows] <= 0)
        out[start:stop] = np.sqrt(total[:rows] * n[:rows] / np.where(own, 1.0, returns * traded[:rows]))
        if own.any():
            high, low, single = (getattr(market, name)[start:stop][own] for name in ("high", "low", "volume"))
            variance = np.log(high / low) ** 2 / (4.0 * np.log(2.0))
            out[start:stop][own] = np.sqrt(np.divide(variance, single, out=np.zeros(len(single)), where=single > 0))
    return out


def capped(order: npt.ArrayLike, volume: npt.ArrayLike, cap: float | None) -> Float:
    """Return the part of orders (signed) that is filled: at most ``cap`` times the bar's volume; they broadcast.

    Without a cap, and where volume is NaN because the series has none, all of it.
    """
    size = np.asarray(order, dtype=np.float64)
    if cap is None:
        return size
    most = np.where(np.isnan(np.asarray(volume, dtype=np.float64)), np.inf, cap * np.asarray(volume, dtype=np.float64))
    return np.asarray(np.clip(size, -most, most))

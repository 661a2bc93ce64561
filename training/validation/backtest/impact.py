"""Market impact by the square-root law, and how much of a bar's volume an order may fill."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.validation.backtest.market import Float, Market
from training.validation.backtest.spread import past_mean

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


def impact_scale(market: Market, bars: int = BARS) -> Float:
    """Return σ/√V (T, S), known before each bar, by which Y·√Q is multiplied; 0 for series without volume.

    σ is the root mean square log return and V the mean volume of the ``bars`` bars before; a symbol's first bars, which
    have none before them, use their own range and volume.
    """
    out = np.zeros(market.shape)
    for s in np.flatnonzero(market.has_volume):
        rows = np.flatnonzero(market.has_bar[:, s])
        high, low, close, volume = (getattr(market, n)[rows, s] for n in ("high", "low", "close", "volume"))
        squares = np.concatenate([[np.nan], np.diff(np.log(close)) ** 2])
        variance, usual = past_mean(squares, bars), past_mean(volume, bars)
        variance = np.where(np.isnan(variance), np.log(high / low) ** 2 / (4.0 * np.log(2.0)), variance)
        usual = np.where(np.nan_to_num(usual) > 0, usual, volume)
        out[rows, s] = np.sqrt(np.divide(variance, usual, out=np.zeros(len(rows)), where=usual > 0))
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

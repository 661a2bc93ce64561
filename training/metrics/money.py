r"""What returns were worth: growth, risk and their ratios, as pure functions of simple returns (…, T), one a bar.

Bars a year are an argument, because they depend on the data: 252 daily sessions, 365 days of crypto, 6,552 quarter
hours of US equities. NaN stands for a bar without a return and is left out of a single series (T,); batches (…, T) must
be complete. A ratio whose denominator is zero, as the Sharpe ratio of a constant return, is NaN, never a large number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.metrics.ratio import Array, ratio

# Returns computed from account values have rounding errors of this size: a smaller spread is no spread.
_ROUNDING = 1e-14


def check_returns(returns: npt.ArrayLike) -> Array:
    """Return simple returns (…, T) as float64, without the NaN of a single series.

    Raises
    ------
    ValueError
        There is no return, one is infinite, or a batch has NaN.
    """
    r = np.asarray(returns, dtype=np.float64)
    if r.ndim == 1:
        r = r[~np.isnan(r)]
    if r.ndim == 0 or r.shape[-1] == 0:
        raise ValueError(f"returns have shape {np.shape(returns)} and no value; expected at least one return of a bar")
    if not np.isfinite(r).all():
        raise ValueError("returns must be finite; only a single series may have NaN, for bars without a return")
    return r


def check_bars_per_year(bars_per_year: float) -> float:
    """Return bars a year; raise ``ValueError`` unless they are finite and positive."""
    if not (np.isfinite(bars_per_year) and bars_per_year > 0):
        raise ValueError(
            f"bars_per_year has value {bars_per_year!r}; expected a positive number, 252 for daily sessions"
        )
    return float(bars_per_year)


class Moments(NamedTuple):
    """Mean, standard deviation (``ddof`` 1), skewness and kurtosis (3 for a normal) over the last axis."""

    mean: Array
    sd: Array
    skew: Array
    kurtosis: Array


def moments(returns: npt.ArrayLike) -> Moments:
    """Return the moments of returns (…, T); a spread of the size of rounding errors counts as zero."""
    r = check_returns(returns)
    n = r.shape[-1]
    mean = r.mean(axis=-1)
    centred = r - mean[..., None]
    squares = np.einsum("...t,...t->...", centred, centred)
    spread = np.sqrt(squares / n)
    level = np.abs(r).max(axis=-1)
    flat = spread <= np.maximum(_ROUNDING, 1e-12 * level)
    sd = np.sqrt(ratio(squares, n - 1)) if n > 1 else np.full(mean.shape, np.nan)
    scale = np.where(flat, np.nan, spread)
    with np.errstate(invalid="ignore"):
        z = centred / scale[..., None]
        square = z * z
        skew, kurtosis = (square * z).mean(axis=-1), (square * square).mean(axis=-1)
    return Moments(mean, np.where(flat, 0.0 * sd, sd), skew, kurtosis)


def growth(returns: npt.ArrayLike) -> Array:
    """Return the value (…, T) after each bar of 1 invested before the first; 0 from a loss of everything on."""
    r = np.maximum(check_returns(returns), -1.0)
    return np.asarray(np.cumprod(1.0 + r, axis=-1))


def total_return(returns: npt.ArrayLike) -> Array:
    r"""Return :math:`\prod_t (1 + r_t) - 1`, shape (…); −1 from a loss of everything on."""
    r = np.maximum(check_returns(returns), -1.0)
    return np.asarray(np.prod(1.0 + r, axis=-1) - 1.0)


def cagr(returns: npt.ArrayLike, bars_per_year: float) -> Array:
    """Return the compound annual growth rate, shape (…)."""
    r = check_returns(returns)
    years = r.shape[-1] / check_bars_per_year(bars_per_year)
    with np.errstate(over="ignore"):
        return np.asarray((1.0 + total_return(r)) ** (1.0 / years) - 1.0)


def volatility(returns: npt.ArrayLike, bars_per_year: float) -> Array:
    """Return the annualised standard deviation (``ddof`` 1), shape (…); NaN for a single return."""
    return np.asarray(moments(returns).sd * np.sqrt(check_bars_per_year(bars_per_year)))


def sharpe(returns: npt.ArrayLike, bars_per_year: float = 1.0) -> Array:
    """Return mean over standard deviation times √bars a year, shape (…); per bar by default; NaN without variation.

    Returns are taken as excess returns: subtract a riskless return first where cash earns one.

    References
    ----------
    Sharpe, W. F. (1994). The Sharpe ratio. J. Portfolio Management 21, 49-58.
    """
    mean, sd, _, _ = moments(returns)
    return np.asarray(ratio(mean, sd) * np.sqrt(check_bars_per_year(bars_per_year)))


def sortino(returns: npt.ArrayLike, bars_per_year: float = 1.0) -> Array:
    r"""Return :math:`\bar r / \sqrt{\sum_t \min(r_t, 0)^2 / T}` times √bars a year, shape (…); NaN without a loss.

    The downside is averaged over all bars, gains included.

    References
    ----------
    Sortino & van der Meer (1991). Downside risk. J. Portfolio Management 17, 27-31.
    """
    r = check_returns(returns)
    losses = np.minimum(r, 0.0)
    downside = np.sqrt(np.einsum("...t,...t->...", losses, losses) / r.shape[-1])
    return np.asarray(ratio(r.mean(axis=-1), downside) * np.sqrt(check_bars_per_year(bars_per_year)))


def drawdowns(returns: npt.ArrayLike) -> Array:
    """Return, after each bar, the loss from the highest value so far (…, T), ≤ 0; the value before the first counts."""
    value = growth(returns)
    peak = np.maximum(np.maximum.accumulate(value, axis=-1), 1.0)
    return np.asarray(value / peak - 1.0)


def max_drawdown(returns: npt.ArrayLike) -> Array:
    """Return the lowest of :func:`drawdowns`, shape (…), ≤ 0."""
    return np.asarray(np.minimum(drawdowns(returns).min(axis=-1), 0.0))


def longest_drawdown(returns: npt.ArrayLike) -> Array:
    """Return the most bars in a row, shape (…), that the value was below its highest so far."""
    below = drawdowns(returns) < 0.0
    place = np.arange(1, below.shape[-1] + 1)
    last_peak = np.maximum.accumulate(np.where(below, 0, place), axis=-1)
    return np.asarray((place - last_peak).max(axis=-1), dtype=np.float64)


def calmar(returns: npt.ArrayLike, bars_per_year: float) -> Array:
    """Return annual growth over the size of the largest drawdown, shape (…); NaN without a drawdown."""
    return ratio(cagr(returns, bars_per_year), -max_drawdown(returns))


def hit_rate(returns: npt.ArrayLike) -> Array:
    """Return the share of bars with a gain among those with a gain or a loss, shape (…); NaN if there are none."""
    r = check_returns(returns)
    return ratio((r > 0).sum(axis=-1), (r != 0).sum(axis=-1))


def profit_factor(returns: npt.ArrayLike) -> Array:
    """Return the sum of gains over the sum of losses, shape (…); NaN without a loss."""
    r = check_returns(returns)
    return ratio(np.maximum(r, 0.0).sum(axis=-1), -np.minimum(r, 0.0).sum(axis=-1))


def expected_shortfall(returns: npt.ArrayLike, share: float = 0.05) -> Array:
    """Return the mean of the worst ``share`` of returns, at least one of them, shape (…)."""
    r = check_returns(returns)
    worst = max(int(np.ceil(share * r.shape[-1])), 1)
    return np.asarray(np.partition(r, worst - 1, axis=-1)[..., :worst].mean(axis=-1))


def money_metrics(returns: npt.ArrayLike, bars_per_year: float) -> dict[str, Array]:
    """Return all metrics of returns (…, T) by name, each of shape (…); each is defined by the function of its name.

    Shared sums are computed once, so a batch of thousands of paths costs little more than its drawdowns.

    Examples
    --------
    >>> metrics = money_metrics([0.01, -0.02, 0.03, -0.01, 0.02], 252)
    >>> round(float(metrics["sharpe"]), 6), round(float(metrics["sortino"]), 6)
    (4.59322, 9.524705)
    """
    r, years = check_returns(returns), check_bars_per_year(bars_per_year)
    n, root = r.shape[-1], np.sqrt(years)
    mean, sd, skew, kurtosis = moments(r)
    value = growth(r)
    lowest = _lowest_drawdown(value)
    losses = np.minimum(r, 0.0)
    lost, gained = losses.sum(axis=-1), r.sum(axis=-1) - losses.sum(axis=-1)
    downside = np.sqrt(np.einsum("...t,...t->...", losses, losses) / n)
    with np.errstate(over="ignore"):
        annual = value[..., -1] ** (years / n) - 1.0
    return {
        "total_return": np.asarray(value[..., -1] - 1.0),
        "cagr": np.asarray(annual),
        "volatility": np.asarray(sd * root),
        "sharpe": np.asarray(ratio(mean, sd) * root),
        "sortino": np.asarray(ratio(mean, downside) * root),
        "max_drawdown": lowest,
        "calmar": ratio(annual, -lowest),
        "hit_rate": ratio(np.count_nonzero(r > 0, axis=-1), np.count_nonzero(r, axis=-1)),
        "profit_factor": ratio(gained, -lost),
        "skew": skew,
        "kurtosis": kurtosis,
        "expected_shortfall": expected_shortfall(r),
    }


def _lowest_drawdown(value: Array) -> Array:
    peak = np.maximum.accumulate(value, axis=-1)
    np.maximum(peak, 1.0, out=peak)
    np.divide(value, peak, out=peak)
    return np.asarray(np.minimum(peak.min(axis=-1) - 1.0, 0.0))

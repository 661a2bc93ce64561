"""What is known at each close: the one input of strategies, for all dates of a backtest or for a bot's newest one."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from features.bars.arrays import Dates
from features.labels import CLASSES
from features.rolling import rolling_mean
from training.strategy.class_returns import ClassReturns, class_returns
from training.strategy.confidence import past_rank
from training.strategy.correlation import month_starts
from training.strategy.edge import expected_return_of
from training.strategy.outcomes import Outcomes, outcomes
from training.strategy.regime import fit_regimes, forward_filter, most_likely
from training.strategy.relative import above_median_known
from training.strategy.series import Float, Ints, Mask, at_rows, bars_since, bars_since_move, last_row, over_own_bars
from training.strategy.skill import Skill, measured_skill

REALISED_BARS = 5
CONSTANT_BARS = 20
_OF_VOLATILITY = ("variance", "variance_low", "variance_high")


@dataclass(frozen=True, eq=False)
class ForecastView:
    """Bars and forecasts of D dates and S symbols, and what follows from them, with row t from rows ≤ t only.

    Parameters
    ----------
    dates : (D,)
        Ascending; ``symbols`` (S,) are the columns of everything else.
    open, high, low, close : (D, S)
        Prices; NaN where a symbol has no bar.
    bar_variance, ewma_vol : (D, S)
        Variance of a bar's log return from its range, and the EWMA volatility per bar; see :mod:`features.labels`.
    band : (D, S)
        Half width of *sideways*, as a log return over ``horizon``.
    probabilities : (D, S, 3)
        Of down, sideways and up over ``horizon`` bars; NaN without a forecast.
    variance, variance_low, variance_high : (D, S)
        Forecast mean variance a bar over ``volatility_horizon`` bars, and its interval; NaN without a forecast.
    bars_per_year : (S,)
        Of each symbol.
    settled : (D, S)
        Where a position has been settled in cash because its symbol was delisted; None for nowhere.
    """

    dates: Dates
    symbols: tuple[str, ...]
    open: Float
    high: Float
    low: Float
    close: Float
    bar_variance: Float
    ewma_vol: Float
    band: Float
    probabilities: Float
    variance: Float
    variance_low: Float
    variance_high: Float
    bars_per_year: Float
    horizon: int = 1
    volatility_horizon: int = 5
    settled: Mask | None = None

    def until(self, stop: int) -> Self:
        """Return what was known at the first ``stop`` dates."""
        cut: dict[str, Any] = {
            field.name: value[:stop].copy()
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), np.ndarray) and field.name != "bars_per_year"
        }
        return replace(self, **cut)

    def carried(self, bars: int) -> Self:
        """Return the view in which a forecast holds for so many bars after its own, unless there is a newer one."""
        if bars == 0:
            return self
        found = dict[str, Ints]()
        for name, known in (("probabilities", self.has_direction), ("variance", self.has_volatility)):
            rows = last_row(known)
            rows = np.where(bars_since(rows, self.has_bar) <= bars, rows, -1)
            found[name] = np.where(self.has_bar, rows, -1)
        labels = [at_rows(self.probabilities[..., label], found["probabilities"]) for label in range(len(CLASSES))]
        cut: dict[str, Any] = {name: at_rows(getattr(self, name), found["variance"]) for name in _OF_VOLATILITY}
        return replace(self, probabilities=np.stack(labels, axis=-1), **cut)

    @property
    def shape(self) -> tuple[int, int]:
        """Dates and symbols."""
        return self.close.shape[0], self.close.shape[1]

    @cached_property
    def has_bar(self) -> Mask:
        """Where a symbol has a bar (D, S)."""
        return np.isfinite(self.close)

    @cached_property
    def has_direction(self) -> Mask:
        """Where there is a forecast of direction (D, S)."""
        return np.isfinite(self.probabilities).all(axis=-1) & self.has_bar

    @cached_property
    def has_volatility(self) -> Mask:
        """Where there is a forecast of volatility (D, S)."""
        return (self.variance > 0.0) & np.isfinite(self.variance) & self.has_bar

    @cached_property
    def first_forecast(self) -> int:
        """Row of the first date with a forecast of any symbol; D without any. What comes before may be fitted on."""
        rows = np.flatnonzero((self.has_direction | self.has_volatility).any(axis=1))
        return int(rows[0]) if len(rows) else len(self.dates)

    @cached_property
    def newest_close(self) -> Float:
        """The newest close up to each date (D, S); NaN before the first bar."""
        return at_rows(self.close, last_row(self.has_bar))

    @cached_property
    def close_before(self) -> Float:
        """The newest close before each date (D, S); NaN before the second bar."""
        return np.concatenate([np.full((1, self.shape[1]), np.nan), self.newest_close[:-1]])

    @cached_property
    def returns(self) -> Float:
        """Log return from the symbol's bar before (D, S); NaN without a bar."""
        return over_own_bars(_log_returns, self.close, self.has_bar)

    @cached_property
    def is_constant(self) -> Mask:
        """Where the price of a symbol has not moved for 20 bars (D, S)."""
        return over_own_bars(bars_since_move, self.returns, self.has_bar) >= CONSTANT_BARS

    @cached_property
    def bar_sigma(self) -> Float:
        """Volatility of a bar (D, S): the forecast, else the EWMA."""
        return np.where(self.has_volatility, np.sqrt(self.variance), self.ewma_vol)

    @cached_property
    def sigma(self) -> Float:
        """Volatility of the log return over ``horizon`` bars (D, S); NaN where it is 0 or unknown."""
        found = self.bar_sigma * np.sqrt(self.horizon)
        return np.where(found > 0.0, found, np.nan)

    @cached_property
    def volatility(self) -> Float:
        """Annualised volatility (D, S)."""
        return self.bar_sigma * np.sqrt(self.bars_per_year)

    @cached_property
    def volatility_high(self) -> Float:
        """Annualised upper end of the interval (D, S): the forecast without one, else the EWMA volatility."""
        has_end = self.has_volatility & (self.variance_high > 0.0)
        high = np.where(has_end, np.sqrt(np.where(has_end, self.variance_high, 0.0)), self.bar_sigma)
        return high * np.sqrt(self.bars_per_year)

    @cached_property
    def lean(self) -> Float:
        """p_up − p_down (D, S)."""
        return np.where(self.has_direction, self.probabilities[..., 2] - self.probabilities[..., 0], np.nan)

    @cached_property
    def strength(self) -> Float:
        """Rank of |lean| among the forecasts of all earlier dates (D, S), from 0 to 1; NaN without any."""
        return past_rank(np.abs(self.lean))

    @cached_property
    def outcomes(self) -> Outcomes:
        """What came true over ``horizon`` bars after each close; to be used from its row ``known`` on."""
        return outcomes(self.close, self.has_bar, self.horizon)

    @cached_property
    def class_returns(self) -> ClassReturns:
        """Returns to expect of each class at each date (D, S, 3), in units of :attr:`sigma`."""
        found = self.outcomes
        return class_returns(self.band / self.sigma, found.log_return / self.sigma, found.known)

    @cached_property
    def expected_return(self) -> Float:
        """Expected return over ``horizon`` (D, S), in units of :attr:`sigma`."""
        return expected_return_of(self.probabilities, self.class_returns.mean)

    @cached_property
    def skill(self) -> Skill:
        """What the forecasts of direction were worth up to each date (D,)."""
        found = self.outcomes
        outcome = np.where(self.has_direction, found.log_return / self.sigma, np.nan)
        return measured_skill(self.expected_return, outcome, found.known, self.horizon)

    @cached_property
    def relative_skill(self) -> Skill:
        """What they were worth relative to the other symbols of the same date (D,)."""
        found = self.outcomes
        outcome = above_median_known(np.where(self.has_direction, found.log_return / self.sigma, np.nan), found.known)
        expected_return = above_median_known(np.where(np.isfinite(outcome), self.expected_return, np.nan), found.known)
        return measured_skill(expected_return, outcome, found.known, self.horizon)

    @cached_property
    def log_variance(self) -> Float:
        """Log of the mean variance of a symbol's last five bars (D, S)."""
        mean = over_own_bars(lambda v: rolling_mean(v, REALISED_BARS), self.bar_variance, self.has_bar)
        return np.log(np.where(mean > 0.0, mean, np.nan))

    def regime(self, states: int) -> Ints:
        """Return the most likely regime (D, S), of those of the bars before the first forecast; −1 if unknown."""
        regimes = fit_regimes(self.log_variance[: self.first_forecast], states)
        return most_likely(forward_filter(self.log_variance, regimes))

    @cached_property
    def has_had(self) -> dict[str, Mask]:
        """Where each kind of forecast was usable at this date or before (D, S)."""
        return {kind: np.logical_or.accumulate(known, axis=0) for kind, known in self.usable.items()}

    @property
    def usable(self) -> dict[str, Mask]:
        """Where a strategy can use each kind of forecast (D, S)."""
        return {"direction": self.has_direction & np.isfinite(self.sigma), "volatility": self.has_volatility}

    @cached_property
    def newest_volatility(self) -> Float:
        """The newest annualised volatility up to each date (D, S); NaN before the first."""
        return at_rows(self.volatility, last_row(np.isfinite(self.volatility)))

    @cached_property
    def halted_days(self) -> Float:
        """Days since the newest bar of a symbol (D, S); NaN before its first."""
        newest = last_row(self.has_bar)
        days = (self.dates[:, None] - self.dates[np.maximum(newest, 0)]) / np.timedelta64(1, "D")
        return np.where(newest >= 0, days, np.nan)

    def returns_before_month(self, row: int, dates: int) -> Float:
        """Return the log returns (≤ ``dates``, S) of the dates before the month of a row."""
        first = int(month_starts(self.dates[: row + 1])[-1])
        return self.returns[max(first - dates, 0) : first]


def _log_returns(close: Float) -> Float:
    out = np.full(len(close), np.nan)
    out[1:] = np.log(close[1:] / close[:-1])
    return out

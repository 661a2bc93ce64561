"""What follows from the bars alone, bar by bar."""

from __future__ import annotations

from collections import deque

import numpy as np

from features.rolling import add_windows
from training.strategy.series import Float, Mask
from training.strategy.view import CONSTANT_BARS, REALISED_BARS
from training.strategy.view_builder import LEAST_DATES, bars_per_year, variance_of_bars
from training.validation.backtest.market import Market

Prices = tuple[Float, Float, Float, Float]


class RunningBars:
    """Closes, volatility and returns (S,) at the newest date.

    Attributes
    ----------
    date, prices, has_bar
        Of the newest date; ``prices`` are open, high, low and close.
    before
        Newest closes before it.
    variance, ewma_vol, log_variance
        As in :class:`.ForecastView`.
    """

    def __init__(self, symbols: int, ewma_lambda: float, correlation_window: int) -> None:
        self._taps = [1.0], [1.0, -ewma_lambda]
        self.date = np.datetime64("NaT", "ns")
        self.prices: Prices = (np.full(symbols, np.nan),) * 4
        self.has_bar = np.zeros(symbols, bool)
        self.before = self.close = self.variance = self.ewma_vol = np.full(symbols, np.nan)
        self._newest = np.full(symbols, np.datetime64("NaT", "ns"))
        self._unmoved = np.zeros(symbols)
        self._variances = np.full((REALISED_BARS, symbols), np.nan)
        self._ewma = np.zeros((2, 1, symbols))  # filter states of values and of weights
        self._returns: deque[Float] = deque(maxlen=correlation_window)
        self._before_month: list[Float] = []

    def advance(self, bars: Market, row: int) -> None:
        """Go on to a row of bars."""
        date = bars.dates[row].astype("datetime64[ns]")
        if date.astype("datetime64[M]") != self.date.astype("datetime64[M]"):
            self._before_month = list(self._returns)
        self.prices = bars.open[row], bars.high[row], bars.low[row], bars.close[row]
        self.date, self.before = date, self.close
        self.has_bar = has_bar = np.isfinite(self.prices[-1])
        self.close = np.where(has_bar, self.prices[-1], self.before)
        moved = has_bar & np.isfinite(self.before)
        returns, self.variance = np.full(len(has_bar), np.nan), np.full(len(has_bar), np.nan)
        returns[moved] = np.log(self.close[moved] / self.before[moved])
        self.variance[moved] = variance_of_bars(*(one[moved] for one in (*self.prices, self.before)))
        self._returns.append(returns)
        self._newest[has_bar] = date
        self._unmoved[has_bar] += 1.0
        self._unmoved[np.isfinite(returns) & (returns != 0.0)] = 0.0
        self._variances[:-1, has_bar] = self._variances[1:, has_bar]
        self._variances[-1, has_bar] = self.variance[has_bar]
        self.ewma_vol = self._smoothed(has_bar)

    @property
    def log_variance(self) -> Float:
        """Log of the mean variance of the last five bars (S,); NaN without a bar."""
        mean = np.empty((1, len(self.has_bar)))
        add_windows(self._variances, REALISED_BARS, mean)
        mean /= REALISED_BARS
        return np.log(np.where(self.has_bar & (mean[0] > 0.0), mean[0], np.nan))

    @property
    def is_constant(self) -> Mask:
        """Where the price has not moved for 20 bars (S,)."""
        return self.has_bar & (self._unmoved >= CONSTANT_BARS)

    @property
    def halted_days(self) -> Float:
        """Days since the newest bar (S,); NaN before the first."""
        return np.asarray((self.date - self._newest) / np.timedelta64(1, "D"), dtype=np.float64)

    @property
    def returns_before_month(self) -> Float:
        """Log returns (dates, S) of the dates before the month of the newest one."""
        return np.stack(self._before_month) if self._before_month else np.empty((0, len(self.has_bar)))

    def _smoothed(self, has_bar: Mask) -> Float:
        """Return the EWMA volatility, by the filter of :func:`features.labels.ewma_volatility`, which goes on."""
        from scipy.signal import lfilter

        known = np.isfinite(self.variance[has_bar])
        sums = list[Float]()
        for state, value in zip(self._ewma, (np.where(known, self.variance[has_bar], 0.0), known), strict=True):
            found, state[:, has_bar] = lfilter(
                *self._taps, value[None].astype(np.float64), axis=0, zi=state[:, has_bar]
            )
            sums.append(found[0])
        out, mean = np.full(len(has_bar), np.nan), np.full(len(known), np.nan)
        np.divide(sums[0], sums[1], out=mean, where=sums[1] > 0.0)
        out[has_bar] = np.sqrt(mean)
        return out


class RunningYear:
    """Bars a year of each symbol, of the dates before the first forecast."""

    def __init__(self) -> None:
        self._dates: list[np.datetime64] = []
        self._has_bar: list[Mask] = []
        self._first: int | None = None
        self._found: Float | None = None

    def advance(self, date: np.datetime64, has_bar: Mask, is_forecast: bool) -> None:
        """Go on to a date; ``is_forecast`` says whether it has a forecast."""
        if self._found is not None:
            return
        if self._first is None and is_forecast:
            self._first = len(self._dates)
        self._dates.append(date)
        self._has_bar.append(has_bar)
        if self._first is not None and len(self._dates) >= max(self._first, LEAST_DATES):
            self._found = self.bars_per_year()
            self._dates.clear()
            self._has_bar.clear()

    def bars_per_year(self) -> Float:
        """Return them (S,)."""
        if self._found is not None:
            return self._found
        stop = len(self._dates) if self._first is None else self._first
        return bars_per_year(np.array(self._dates), np.stack(self._has_bar), stop)

"""The inputs of one symbol's features, with intermediate results that are computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.labels import bar_variance, ewma_volatility
from features.rolling import change, rolling_mean, rolling_var
from features.universe import UniverseRows, UniverseTable

Float = npt.NDArray[np.float64]
Series = Literal["volume", "log_close", "returns", "size", "variance"]  # whose moments several families use

EWMA_LAMBDA = 0.94  # RiskMetrics (1996), daily


@dataclass(frozen=True, slots=True)
class Layout:
    """What determines the columns of features: the lookback periods in bars, and the columns of context.

    ``context`` are the columns of market series (``context_…``) and of alternative data (``options_…``, ``macro_…`` …),
    ``market`` those of them that are equal for all symbols with the same trading days.
    """

    periods: tuple[int, ...]
    context: tuple[str, ...] = ()
    market: frozenset[str] = frozenset()

    @property
    def shorter(self) -> tuple[int, ...]:
        """All periods except the longest, or the only one."""
        return self.periods[:-1] or self.periods

    @property
    def longer(self) -> tuple[int, ...]:
        """All periods except the shortest, or the only one: for statistics that need more than a few bars."""
        return self.periods[1:] or self.periods

    @property
    def middle(self) -> int:
        """The middle period, for indicators with one window length."""
        return self.periods[len(self.periods) // 2]


class Inputs:
    """One symbol's bars and quantities derived from them, float64 (N,).

    Prices are divided by the first close and volume by the first positive volume, so that absolute tolerances inside
    TA-Lib have the same effect for a stock at 0.001 and one at 500,000.
    """

    def __init__(
        self,
        bars: SymbolBars,
        layout: Layout,
        universe: UniverseTable | None = None,
        context: MarketContext | None = None,
    ) -> None:
        self.bars = bars
        self.layout = layout
        self.context = context
        self._universe = universe
        self._ewma: dict[float, Float] = {}
        self._period_returns: dict[int, Float] = {}
        self._means: dict[tuple[Series, int], Float] = {}
        self._spreads: dict[tuple[Series, int], Float] = {}
        unit = bars.close[0] if len(bars) else 1.0
        self.open = np.ascontiguousarray(bars.open / unit)
        self.high = np.ascontiguousarray(bars.high / unit)
        self.low = np.ascontiguousarray(bars.low / unit)
        self.close = np.ascontiguousarray(bars.close / unit)

    @cached_property
    def volume(self) -> Float:
        """Volume in units of the first positive volume."""
        positive = np.flatnonzero(self.bars.volume > 0.0)[:1]
        unit = float(self.bars.volume[positive[0]]) if len(positive) else 1.0
        return self.bars.volume / unit

    @cached_property
    def log_close(self) -> Float:
        """Logarithm of the close over the first close."""
        log_close: Float = np.log(self.close)
        return log_close

    @cached_property
    def returns(self) -> Float:
        """Log return of each bar; NaN in the first row."""
        return self.period_return(1)

    @cached_property
    def size(self) -> Float:
        """Absolute log return of each bar."""
        return np.asarray(np.abs(self.returns))

    @cached_property
    def variance(self) -> Float:
        """Each bar's variance estimate v_t; NaN in the first row."""
        return bar_variance(self.bars)

    @property
    def ewma_vol(self) -> Float:
        """Per-bar volatility by RiskMetrics' EWMA of v."""
        return self.ewma(EWMA_LAMBDA)

    @cached_property
    def balance(self) -> Float:
        """On-balance volume (Granville 1963): the sum of volume, signed by the return of its bar."""
        return np.cumsum(np.where(np.isnan(self.returns), 0.0, np.sign(self.returns) * self.volume))

    @cached_property
    def typical(self) -> Float:
        """Typical price (H + L + C) / 3."""
        return np.asarray((self.high + self.low + self.close) / 3.0)

    @cached_property
    def ranked_quantities(self) -> dict[str, Float]:
        """Values of the quantities in :func:`~features.universe.rank_names`, each (N,), in about −8 … 8.

        Only their ranks are used, so these increasing functions merely spread typical values evenly: asinh for returns,
        logarithms for volatility and volume (mean over the shortest period by that over the longest). Symbols without
        volume have no ``volume_change``.
        """
        periods = self.layout.periods
        quantities = {f"return_{p}": np.arcsinh(self.period_return(p) / (0.002 * np.sqrt(p))) for p in (1, *periods)}
        quantities["volatility"] = np.log(self.ewma_vol) + 4.0
        if self.bars.has_volume:
            quantities["volume_change"] = 2.0 * np.log(
                self.mean("volume", periods[0]) / self.mean("volume", periods[-1])
            )
        return quantities

    @cached_property
    def market(self) -> UniverseRows | None:
        """The universe's rows as of this symbol's bars."""
        return self._universe.at(self.bars.dates) if self._universe is not None else None

    @cached_property
    def known(self) -> dict[str, Float]:
        """The columns of market series and alternative data as known at each bar, (N,) each."""
        if self.context is None:
            return {}
        values = self.context.of(self.bars.symbol, self.bars.dates)
        return dict(zip(self.context.all_columns, values.T, strict=True))

    @cached_property
    def market_returns(self) -> tuple[Float, Float]:
        """Returns of this symbol and of the universe over the same days, up to the last day known for both.

        If the universe's rows are lagged by a session, so are the symbol's returns: a beta pairs simultaneous returns.
        """
        assert self._universe is not None and self.market is not None
        own = self.returns
        if self._universe.lag:
            own = np.concatenate([[np.nan], own])[: len(own)]
        return own, change(self.market.log_index, 1)

    def ewma(self, lam: float) -> Float:
        """Return the per-bar volatility (N,) by an EWMA of v with this weight of the past."""
        if lam not in self._ewma:
            self._ewma[lam] = ewma_volatility(self.variance, lam)
        return self._ewma[lam]

    def period_return(self, bars: int) -> Float:
        """Return the log return (N,) over the last ``bars`` bars."""
        if bars not in self._period_returns:
            self._period_returns[bars] = change(self.log_close, bars)
        return self._period_returns[bars]

    def mean(self, series: Series, window: int) -> Float:
        """Return the mean (N,) of the last ``window`` values of a series."""
        if (series, window) not in self._means:
            self._means[series, window] = rolling_mean(getattr(self, series), window)
        return self._means[series, window]

    def spread(self, series: Series, window: int) -> Float:
        """Return the population variance (N,) of the last ``window`` values of a series."""
        if (series, window) not in self._spreads:
            mean = self.mean(series, window)
            self._spreads[series, window] = rolling_var(getattr(self, series), window, mean)
        return self._spreads[series, window]

"""The newest date of a view, updated bar by bar.

A bot decides on the newest date only, but what it knows then depends on all dates before: class returns, skill, ranks,
regimes. To compute them from the complete history takes seconds for hundreds of symbols, one more date milliseconds.
Every number equals that of the complete view, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from configs.models import LabelConfig
from configs.strategy import StrategyConfig
from features.labels import sideways_band
from training.strategy.confidence import RankCounts
from training.strategy.running.bars import RunningBars, RunningYear
from training.strategy.running.outcomes import KnownOutcomes, Moments, Pending, SkillTracker, Snapshot, relative
from training.strategy.running.regime import RunningRegime
from training.strategy.series import Float, Ints, Mask
from training.strategy.view import ForecastView
from training.validation.backtest.market import Market


@dataclass(frozen=True, eq=False)
class NewestView(ForecastView):
    """A view of one date whose forecasts are carried already, with what follows from the dates before it."""

    regimes: Ints | None = None
    returns_before: Float | None = None

    def carried(self, bars: int) -> Self:
        """Return the view: its forecasts are those that hold at the date."""
        return self

    def regime(self, states: int) -> Ints:
        """Return the most likely regime (1, S) of those of the running view."""
        assert self.regimes is not None
        return self.regimes

    def returns_before_month(self, row: int, dates: int) -> Float:
        """Return the log returns (dates, S) of the dates before the month of the date."""
        assert self.returns_before is not None
        return self.returns_before


class RunningView:
    """What is known at the newest date, and what later dates need of those before.

    Parameters
    ----------
    symbols
        Columns of the arrays of each date.
    settings
        Of the strategy: how long forecasts hold, the number of regimes, and the window of correlations.
    horizon, volatility_horizon, label
        As for :func:`.read_view`.
    """

    def __init__(
        self,
        symbols: tuple[str, ...],
        settings: StrategyConfig,
        *,
        horizon: int = 1,
        volatility_horizon: int = 5,
        label: LabelConfig | None = None,
    ) -> None:
        self.symbols, self.settings = symbols, settings
        self.horizon, self.volatility_horizon = horizon, volatility_horizon
        self.label = LabelConfig() if label is None else label
        self.rows = 0
        self._bars = RunningBars(len(symbols), self.label.ewma_lambda, settings.caps.correlation_window)
        self._year, self._regime = RunningYear(), RunningRegime(settings.regime.states)
        self._forecasts = {kind: _Carried(len(symbols)) for kind in ("direction", "volatility")}
        self._raw, self._fresh = (_Learned(horizon, len(symbols)) for _ in range(2))
        self._absolute, self._relative = SkillTracker(horizon), SkillTracker(horizon)
        self._ranks = RankCounts()
        self._had = {kind: np.zeros(len(symbols), bool) for kind in self._forecasts}
        self._newest_sigma = np.full(len(symbols), np.nan)
        self._strength = np.full(len(symbols), np.nan)
        self._newest: NewestView | None = None

    def advance(self, bars: Market, row: int, p: Float, v: Float) -> None:
        """Go on to a row of bars, with its forecasts p and v (S, 3) as for :func:`.view_of_arrays`."""
        own = self._bars
        own.advance(bars, row)
        self._year.advance(own.date, own.has_bar, bool(np.isfinite(p).any() or np.isfinite(v[:, 0]).any()))
        raw = self._view(p, v)
        has = {"direction": raw.has_direction[0], "volatility": raw.has_volatility[0]}
        fresh = raw
        known = self._raw.advance(self.rows, raw, own.close)
        if self.settings.max_age:
            p, v = (
                self._forecasts[kind].advance(has[kind], values, own.has_bar, self.settings.max_age)
                for kind, values in (("direction", p), ("volatility", v))
            )
            fresh = self._view(p, v)
            self._fresh.advance(self.rows, fresh, own.close)
        outcome = np.where(known.snapshot.has_direction > 0.0, known.log_return / known.snapshot.sigma, np.nan)
        self._absolute.add(known.snapshot.expected_return, outcome)
        self._relative.add(*relative(known, outcome))
        self._regime.advance(own.log_variance, bool(has["direction"].any() or has["volatility"].any()))
        self._strength = self._ranks.past_rank(np.abs(fresh.lean[0]))
        for kind, usable in fresh.usable.items():
            self._had[kind] = self._had[kind] | usable[0]
        sigma = fresh.bar_sigma[0]
        self._newest_sigma = np.where(np.isfinite(sigma), sigma, self._newest_sigma)
        self._newest = fresh
        self.rows += 1

    def view(self) -> NewestView:
        """Return the view of the newest date."""
        assert self._newest is not None, "no date yet"
        year = self._year.bars_per_year()
        own = self._bars
        found = replace(
            self._newest,
            bars_per_year=year,
            regimes=self._regime.most_likely(),
            returns_before=own.returns_before_month,
        )
        found.__dict__.update(
            class_returns=self._newest.class_returns,
            strength=self._strength[None],
            skill=self._absolute.skill(),
            relative_skill=self._relative.skill(),
            is_constant=own.is_constant[None],
            close_before=own.before[None],
            newest_close=own.close[None],
            newest_volatility=(self._newest_sigma * np.sqrt(year))[None],
            halted_days=own.halted_days[None],
            has_had={kind: had[None] for kind, had in self._had.items()},
        )
        return found

    def _view(self, p: Float, v: Float) -> NewestView:
        own = self._bars
        open_, high, low, close = (one[None].copy() for one in own.prices)
        return NewestView(
            dates=np.array([own.date]),
            symbols=self.symbols,
            open=open_,
            high=high,
            low=low,
            close=close,
            bar_variance=own.variance[None],
            ewma_vol=own.ewma_vol[None],
            band=sideways_band(own.ewma_vol, self.horizon, self.label)[None],
            probabilities=p[None],
            variance=v[None, :, 0],
            variance_low=v[None, :, 1],
            variance_high=v[None, :, 2],
            bars_per_year=np.full(len(self.symbols), np.nan),
            horizon=self.horizon,
            volatility_horizon=self.volatility_horizon,
        )


class _Carried:
    """The newest forecast (S, 3) of each symbol, and the bars since."""

    def __init__(self, symbols: int) -> None:
        self._values = np.full((symbols, 3), np.nan)
        self._age = np.full(symbols, np.inf)

    def advance(self, has: Mask, values: Float, has_bar: Mask, bars: int) -> Float:
        """Return the forecasts (S, 3) that hold for so many bars; NaN for those that do not."""
        self._age = np.where(has, 0.0, self._age + has_bar)
        self._values = np.where(has[:, None], values, self._values)
        return np.where((has_bar & (self._age <= bars))[:, None], self._values, np.nan)


class _Learned:
    """Class returns so far, of views in which forecasts hold for some number of bars."""

    def __init__(self, horizon: int, symbols: int) -> None:
        self._pending, self._moments = Pending(horizon, symbols), Moments()

    def advance(self, row: int, view: NewestView, close: Float) -> KnownOutcomes:
        """Set the class returns of a view, and return the outcomes that its date makes known."""
        has_bar = view.has_bar[0]
        known = self._pending.pop_known(has_bar, close)
        self._moments.add(known.log_return / known.snapshot.sigma, known.snapshot.k)
        k = view.band / view.sigma
        view.__dict__["class_returns"] = self._moments.class_returns(k)
        snapshot = Snapshot(
            close, view.sigma[0], k[0], view.expected_return[0], view.has_direction[0].astype(np.float64)
        )
        self._pending.push(row, has_bar, snapshot)
        return known

"""A market and rules on which strategies are simulated, so that all of a comparison trade on the same terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.backtest import BacktestConfig
from configs.errors import ConfigError, DataError, last_line, shortened
from configs.words import counted
from features.bars.arrays import Dates
from features.bars.period import bar_period
from training.backtesting.forecasts import OutOfSample
from training.strategy.decision_frames import Decisions
from training.strategy.series import last_row
from training.validation.backtest.cost_settings import costs_of
from training.validation.backtest.costs import Costs
from training.validation.backtest.market import Market
from training.validation.backtest.simulate import simulate
from training.validation.backtest.simulation import Simulation

_TICK = np.timedelta64(1, "ns")
_WEEK = np.timedelta64(7, "D")
_LEAST_DATES = 60  # whose calendar is known; a shorter account has that of all bars before
_FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, eq=False)
class BacktestTerms:
    """What all simulations of a backtest share.

    ``history`` is the market of all bars, from before the first forecast on; ``market`` that of the bars from the first
    decision to the bar after the last forecast, in which it is filled. ``bars_per_year`` are those of the calendar,
    ``own_years`` those of each symbol.
    """

    history: Market
    market: Market
    config: BacktestConfig
    costs: Costs
    bars_per_year: float
    own_years: Mapping[str, float]

    @property
    def first(self) -> int:
        """Row of the first decision among the dates of ``history``."""
        return int(np.searchsorted(self.history.dates, self.market.dates[0]))

    @property
    def rows(self) -> int:
        """Number of dates on which positions are decided and filled: all but the last."""
        return len(self.market.dates) - 1

    def trades(self) -> npt.NDArray[np.bool_]:
        """Return the symbols (T, S) that had a bar in the week up to each date: those of other calendars do too."""
        columns = [self.history.symbols.index(name) for name in self.market.symbols]
        newest = last_row(self.history.has_bar[:, columns])
        ages = self.history.dates[:, None] - self.history.dates[np.maximum(newest, 0)]
        recent = (newest >= 0) & (ages <= _WEEK)
        return np.asarray(recent[np.searchsorted(self.history.dates, self.market.dates)])

    @cached_property
    def options(self) -> dict[str, Any]:
        """Arguments of every simulation besides market, targets and costs."""
        part = self.config
        known = set(self.history.symbols)
        for name, given in (("delisted", part.delisted), ("currency", part.currency)):
            if unknown := sorted(set(given) - known):
                raise ConfigError(
                    f"backtest.{name} has {shortened(unknown)}, of which there are no forecasts; expected some of "
                    f"{shortened(sorted(known))}."
                )
        return {
            "cash": part.cash,
            "fill": part.fill,
            "max_leverage": part.max_leverage,
            "delisted": {name: value for name, value in part.delisted.items() if name not in self._outlives},
            "currency": part.currency,
            "fx_rates": None if part.fx_rates is None else read_rates(part.fx_rates),
            "account_currency": part.account_currency,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about settings that are not used."""
        if not self._outlives:
            return ()
        return (
            f"{shortened(sorted(self._outlives))}: there are bars after {str(self.market.dates[-1])[:10]}, the last "
            "day of the account, so backtest.delisted is not used",
        )

    @cached_property
    def _outlives(self) -> frozenset[str]:
        """The symbols with a return on delisting that are not delisted yet when the account ends."""
        ends = dict(zip(self.history.symbols, self.history.dates[self.history.last_bar], strict=True))
        return frozenset(name for name in self.config.delisted if ends[name] > self.market.dates[-1])

    def run(self, targets: pd.DataFrame, costs: Costs | None = None, **others: Any) -> Simulation:
        """Return the account that follows weights (dates × symbols), with levels and ``others`` of the options."""
        chosen = self.costs if costs is None else costs
        return simulate(self.market, targets, chosen, unit="weight", **{**self.options, **others})

    def follow(self, decisions: Decisions, costs: Costs | None = None) -> Simulation:
        """Return the account that follows a strategy's decisions, with their stops and profit targets."""
        return self.run(self.targets(decisions), costs, **self.levels(decisions))

    def targets(self, decisions: Decisions) -> pd.DataFrame:
        """Return the weights on the dates and symbols of the market."""
        return self._cut(decisions.targets())

    def levels(self, decisions: Decisions) -> dict[str, pd.DataFrame]:
        """Return the stops and profit targets, where there are any."""
        found = {"stops": decisions.stop_levels(), "take_profits": decisions.take_profit_levels()}
        return {name: self._cut(frame) for name, frame in found.items() if frame.notna().to_numpy().any()}

    def on(self, history: Market) -> BacktestTerms:
        """Return the same terms on other prices of the same bars."""
        return replace(self, history=history, market=_part(history, self.market.dates[0], self.market.dates[-1]))

    def _cut(self, frame: pd.DataFrame) -> pd.DataFrame:
        dates = self.market.dates
        within = (frame.index >= dates[0]) & (frame.index <= dates[-1])
        return pd.DataFrame(frame.loc[within, list(self.market.symbols)])


def terms_of(found: OutOfSample, config: BacktestConfig) -> BacktestTerms:
    """Return the market and rules of a backtest of these forecasts.

    Raises
    ------
    DataError
        ``start`` or ``end`` asks for bars that no out-of-sample forecast covers.
    ConfigError
        A cost does not make sense.
    """
    first, last = found.days()
    start = first if config.start is None else np.datetime64(config.start, "ns")
    end = last if config.end is None else np.datetime64(config.end, "ns") + np.timedelta64(1, "D") - _TICK
    days = f"{found.title} forecasts {str(first)[:10]} to {str(last)[:10]} out of sample"
    if start.astype("datetime64[D]") < first.astype("datetime64[D]"):
        raise DataError(
            f"backtest.start={config.start} is in sample: {days}. Choose a day in between, or leave it out."
        )
    if config.end is not None and np.datetime64(config.end, "D") > last.astype("datetime64[D]"):
        raise DataError(
            f"backtest.end={config.end} is after the last forecast: {days}. Choose an earlier day, or leave it out."
        )
    start = max(start, first)
    history = found.market(found.bars)
    rows = np.flatnonzero((history.dates >= start) & (history.dates <= min(end, last)))
    if len(rows) < 2:
        given = f"there {'is' if len(rows) == 1 else 'are'} {counted(len(rows), 'date')} with bars"
        raise DataError(f"{given} from {str(start)[:10]} to {str(end)[:10]}: {days}. Choose more.")
    stop = min(int(rows[-1]) + 1, len(history.dates) - 1)
    if config.end is not None:
        stop = int(rows[-1])
    begin = int(rows[0]) if stop - int(rows[0]) >= _LEAST_DATES else 0
    bars_per_year = _bars_per_year(history.dates[begin : stop + 1])
    own = {
        name: _bars_per_year(history.dates[: stop + 1][history.has_bar[: stop + 1, s]])
        for s, name in enumerate(history.symbols)
    }
    market = _part(history, history.dates[rows[0]], history.dates[stop])
    costs = costs_of(config.costs, bars_per_year, history.symbols, own)
    return BacktestTerms(history, market, config, costs, bars_per_year, own)


def _bars_per_year(dates: Dates) -> float:
    return float(bar_period(dates.astype("datetime64[ns]")).bars_per_year)


def read_rates(path: str) -> pd.DataFrame:
    """Return exchange rates, dates × currencies, of a CSV or Parquet file.

    Raises
    ------
    ConfigError
        The file cannot be read or has no column ``date``.
    """
    try:
        frame = pd.read_parquet(path) if Path(path).suffix == ".parquet" else pd.read_csv(path)
        return frame.set_index("date")
    except Exception as error:  # readers have many errors
        raise ConfigError(
            f"backtest.fx_rates {path!r} cannot be read ({last_line(error)}); expected a CSV or Parquet file with the "
            "column date and one a currency."
        ) from error


def _part(market: Market, first: np.datetime64, last: np.datetime64) -> Market:
    """Return the bars between two dates, of the symbols that have any."""
    rows = slice(int(np.searchsorted(market.dates, first)), int(np.searchsorted(market.dates, last, side="right")))
    kept: Mapping[str, Any] = {name: getattr(market, name)[rows] for name in _FIELDS}
    dividends = None if market.dividends is None else market.dividends[rows]
    cut = replace(market, dates=market.dates[rows], **kept, dividends=dividends)
    present = np.flatnonzero(cut.has_bar.any(axis=0))
    return cut.select(tuple(cut.symbols[s] for s in present))

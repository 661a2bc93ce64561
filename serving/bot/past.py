"""Recorded forecasts and past bars, for a replay: what a bot would have known at each close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from configs.bot import DelistingConfig
from configs.errors import DataError
from configs.schema import Config
from configs.values import Kind
from features.alternative.stopped import StoppedSource
from features.bars.arrays import Dates
from features.bars.closes import bar_close, bar_date, end_of_day
from features.bars.schedule_fit import schedule_of
from features.bars.schema import SymbolBars
from serving.bot.closed_bars import ClosedBars, Row, closed_bars
from serving.journal.predictions import PredictionRow
from serving.kinds import SERVED_KINDS
from training.backtesting.account_terms import BacktestTerms, terms_of
from training.backtesting.forecasts import OutOfSample, backtest_tables, view_of
from training.validation.backtest.market import Market

_FIELDS = ("open", "high", "low", "close", "volume")


class PastFeed:
    """Out-of-sample forecasts of a walk-forward run or of the test of a version; a :class:`.Feed`.

    Parameters
    ----------
    found
        Forecasts, and the bars that they were made from.
    config
        Settings of the bot, its strategy and account; ``config.backtest`` has the period.
    names
        The name of the models by kind; those of a walk-forward run get the number of their window.

    Attributes
    ----------
    terms
        The account of a backtest of the same forecasts.
    """

    def __init__(self, found: OutOfSample, config: Config, names: Mapping[Kind, str]) -> None:
        self.terms: BacktestTerms = terms_of(found, config.backtest)
        bot = config.bot.model_copy(update={"wait_s": 0.0})
        delisted = {**bot.delisted, **_delistings(self.terms)}
        bot = bot.model_copy(update={"delisted": delisted})
        self.config = found.config.model_copy(
            update={"strategy": config.strategy, "backtest": config.backtest, "bot": bot, "alerts": config.alerts}
        )
        self._names = names
        self._bars = {bars.symbol: bars for bars in found.bars}
        self._complete: Mapping[str, int] = {}
        self._history = self.terms.history
        self._dates = {
            name: self._history.dates[self._history.has_bar[:, s]].astype("datetime64[ns]")
            for s, name in enumerate(self._history.symbols)
        }
        self._schedules = {name: schedule_of(dates) for name, dates in self._dates.items()}
        tables = backtest_tables(found.tables, self._history, found.config)
        view = view_of(tables, self._history, self.config)
        self._band, self._year = view.band, view.bars_per_year
        self._tables: dict[Kind, pd.DataFrame] = {
            kind: table.sort_values(["date", "symbol"], ignore_index=True)  # type: ignore[misc]
            for kind, table in tables.items()
        }
        self._table_dates = {
            kind: table["date"].to_numpy().astype("datetime64[ns]") for kind, table in self._tables.items()
        }

    @property
    def dates(self) -> Dates:
        """Dates of the backtest's account: from the first decision to the bar after the last."""
        return self.terms.market.dates.astype("datetime64[ns]")

    @property
    def bar_dates(self) -> Mapping[str, Dates]:
        """Dates of all bars, by symbol."""
        return self._dates

    def clock(self, date: np.datetime64) -> datetime:
        """Return when all bars of a date are complete, of symbols that have none on it too."""
        closes = {bar_close(schedule, date) or end_of_day(date) for schedule in set(self._schedules.values())}
        return max(closes)

    def refresh(self) -> None:
        """Do nothing: the past does not change."""

    def versions(self, row: Row) -> Mapping[Kind, str]:
        """Return the models that forecast the bars of a date."""
        found: dict[Kind, str] = {}
        for kind, table in self._tables.items():
            part = table.iloc[self._rows(kind, row.date)]
            if len(part):
                window = f"-{int(part['window'].iloc[0]):03d}" if "window" in table.columns else ""
                found[kind] = f"{self._names[kind]}{window}"
        return found

    def models(self) -> dict[Kind, dict[str, str]]:
        """Return, by kind, the first date of each of the models that forecast, as ISO text by their name."""
        found: dict[Kind, dict[str, str]] = {}
        for kind, table in self._tables.items():
            dates = self._table_dates[kind]
            within = table.assign(date=dates)[(dates >= self.dates[0]) & (dates <= self.dates[-1])]
            groups = within.groupby("window")["date"].min() if "window" in table.columns else {"": within["date"].min()}
            found[kind] = {
                f"{self._names[kind]}-{int(window):03d}" if window != "" else self._names[kind]: str(date)[:10]
                for window, date in groups.items()
            }
        return found

    def verdicts(self, now: datetime) -> dict[str, tuple[ClosedBars, Dates]]:
        """Return which bars of each symbol are complete, and the dates of all."""
        found = {
            name: (closed_bars(name, self._schedules[name], dates, now), dates) for name, dates in self._dates.items()
        }
        self._complete = {name: one.count for name, (one, _) in found.items()}
        return found

    def complete(self) -> Iterable[SymbolBars]:
        """Return the bars that were complete at the time of the last call of :meth:`verdicts`."""
        return (self._bars[name].first(count) for name, count in self._complete.items())

    def forecasts(self, row: Row, versions: Mapping[Kind, str], made_by: str) -> list[PredictionRow]:
        """Return the recorded forecasts of the bars of a date."""
        out: list[PredictionRow] = []
        at = int(np.searchsorted(self._history.dates, row.date))
        for kind, version in versions.items():
            table = self._tables[kind].iloc[self._rows(kind, row.date)]
            section, served = self.config.section(kind), SERVED_KINDS[kind]
            level = served.nominal_coverage(self.config)
            for record in table.to_dict("records"):
                one = {str(column): value for column, value in record.items()}
                name = str(one["symbol"])
                s = self._history.symbols.index(name)
                out.append(
                    PredictionRow(
                        symbol=name,
                        kind=kind,
                        bar_date=bar_date(row.date),
                        bar_close=bar_close(self._schedules[name], row.date) or end_of_day(row.date),
                        horizon_bars=section.horizon,
                        version=version,
                        made_at=row.instant,
                        made_by=made_by,
                        close=float(self._history.close[at, s]),
                        bars_per_year=float(self._year[s]),
                        level=level,
                        **served.recorded_at_test(one, float(self._band[at, s])),
                    )
                )
        return out

    def market(self, row: Row, also: Sequence[str]) -> Market:
        """Return all bars up to a date."""
        stop = int(np.searchsorted(self._history.dates, row.date, side="right"))
        cut: dict[str, Any] = {name: getattr(self._history, name)[:stop] for name in _FIELDS}
        dividends = None if self._history.dividends is None else self._history.dividends[:stop]
        return replace(self._history, dates=self._history.dates[:stop], **cut, dividends=dividends)

    def stopped_sources(self) -> Sequence[StoppedSource] | None:
        """Return None: recorded forecasts read no alternative data."""
        return None

    def tested(self, kind: Kind, version: str) -> pd.DataFrame:
        """Return the forecasts before the first date."""
        table = self._tables.get(kind)
        if table is None:
            raise DataError(f"there are no forecasts of {kind} to replay. Choose others.")
        return pd.DataFrame(table[self._table_dates[kind] < self.dates[0]])

    def _rows(self, kind: Kind, date: np.datetime64) -> slice:
        dates = self._table_dates[kind]
        return slice(int(np.searchsorted(dates, date)), int(np.searchsorted(dates, date, side="right")))


def _delistings(terms: BacktestTerms) -> dict[str, DelistingConfig]:
    """Return the delistings of the backtest as those of a bot: each is settled on the date after the last bar."""
    dates = terms.market.dates.astype("datetime64[D]")
    found = dict[str, DelistingConfig]()
    for name, value in terms.options["delisted"].items():
        if name not in terms.market.symbols:
            continue
        last = int(terms.market.last_bar[terms.market.symbols.index(name)])
        later = dates[last + 1 :][dates[last + 1 :] > dates[last]]
        if len(later):
            found[name] = DelistingConfig(day=later[0].item(), value=value)
    return found

"""The forecasts that were made so far, of which strategies measure the skill."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from configs.errors import DataError, shortened
from configs.schema import Config
from configs.strategy import StrategyConfig
from configs.values import Kind
from features.bars.arrays import Dates
from serving.journal.kind_columns import KIND_COLUMNS
from training.strategy.catalog import choose
from training.strategy.running.view import RunningView
from training.strategy.series import Float
from training.strategy.view import ForecastView
from training.strategy.view_builder import Table, check_probabilities, view_of_arrays
from training.validation.backtest.market import Market

_OF_VIEWS: tuple[Kind, Kind] = ("direction", "volatility")  # in the order in which a view takes them
_PRICES = ("open", "high", "low", "close")


class _Rows(NamedTuple):
    """Forecasts (n, 3) of one kind and date, and their symbols."""

    symbols: pd.Index
    values: Float


class Record:
    """Forecasts of the past and of the newest bar; one object for the life of a process.

    It contains the test table of the version with which the bot began, and every journaled prediction of the champion
    since. What a step decides depends on the content only, not on how it was added: what follows from dates that were
    seen before is kept, and made again if bars or forecasts of them have changed.

    Parameters
    ----------
    config
        Gives horizons and labels.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._rows: dict[Kind, dict[int, _Rows]] = {kind: {} for kind in KIND_COLUMNS}
        self._symbols = pd.Index([], dtype=str)
        self._running: RunningView | None = None
        self._seen: Market | None = None
        self._earliest: int | None = None  # date that was added since

    def add(self, kind: Kind, table: Table) -> None:
        """Add forecasts, one row a ``symbol`` and ``date`` (of the bar); a newer row of the same replaces the older.

        Direction has ``p_down``, ``p_sideways``, ``p_up``; volatility ``forecast`` and, where known, ``low`` and
        ``high``, mean variances a bar. Rows of dates or symbols that the bars do not have are ignored until they do.

        Raises
        ------
        DataError
            A column is missing, or a value is not possible.
        """
        frame = table.to_pandas() if isinstance(table, pa.Table) else table
        columns = KIND_COLUMNS[kind]
        if missing := [one for one in ("symbol", "date", *columns.forecast) if one not in frame.columns]:
            raise DataError(
                f"forecasts of {kind} lack the columns {', '.join(missing)}; they have "
                f"{shortened([str(name) for name in frame.columns])}."
            )
        if not len(frame):
            return
        values = np.column_stack(
            [
                frame[one].to_numpy(np.float64) if one in frame.columns else np.full(len(frame), np.nan)
                for one in columns.values
            ]
        )
        if columns.has_probabilities:
            check_probabilities(values)
        dates = pd.to_datetime(frame["date"], utc=True).dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
        symbols = frame["symbol"].astype(str).to_numpy()
        order = np.argsort(dates, kind="stable")
        days = dates[order].astype(np.int64)
        for part in np.split(order, np.flatnonzero(np.diff(days)) + 1):
            self._put(kind, int(dates[part[0]].astype(np.int64)), symbols[part], values[part])

    def _put(self, kind: Kind, date: int, symbols: Any, values: Float) -> None:
        known = self._rows[kind].get(date)
        if known is not None:
            symbols, values = np.append(known.symbols, symbols), np.concatenate([known.values, values])
        index = pd.Index(symbols)
        newest = ~index.duplicated(keep="last")
        index = index[newest]
        if self._symbols.equals(index):  # the same of most dates, so stored once
            index = self._symbols
        self._symbols = index
        self._rows[kind][date] = _Rows(index, values[newest])
        self._earliest = date if self._earliest is None else min(date, self._earliest)

    def view(self, bars: Market, settings: StrategyConfig) -> ForecastView:
        """Return what is known at the newest bar, for :func:`.decide` with ``first=-1``.

        A strategy that needs more than the newest date gets the view of all dates.
        """
        if not choose(settings).spec.of_date:
            arrays = [np.stack([self._on(kind, date, bars) for date in _ns(bars.dates)]) for kind in _OF_VIEWS]
            return view_of_arrays(bars, *arrays, **self._terms())
        running = self._running
        if running is None or not self._goes_on(running, bars, settings):
            running = self._running = RunningView(bars.symbols, settings, **self._terms())
        dates = _ns(bars.dates[running.rows :])
        for row, date in enumerate(dates, start=running.rows):
            running.advance(bars, row, *(self._on(kind, date, bars) for kind in _OF_VIEWS))
        self._seen, self._earliest = bars, None
        return running.view()

    def _goes_on(self, running: RunningView, bars: Market, settings: StrategyConfig) -> bool:
        """Whether bars are those seen before and later ones, and no forecast of a date seen before is new."""
        seen, rows = self._seen, running.rows
        if seen is None or running.settings != settings or running.symbols != bars.symbols or len(bars.dates) < rows:
            return False
        if self._earliest is not None and self._earliest <= int(_ns(seen.dates[-1:])[0]):
            return False
        return np.array_equal(bars.dates[:rows], seen.dates) and all(
            _same(getattr(bars, name)[:rows], getattr(seen, name)) for name in _PRICES
        )

    def _on(self, kind: Kind, date: int, bars: Market) -> Float:
        out = np.full((len(bars.symbols), len(KIND_COLUMNS[kind].values)), np.nan)
        rows = self._rows[kind].get(date)
        if rows is not None:
            place = pd.Index(bars.symbols).get_indexer(rows.symbols)
            out[place[place >= 0]] = rows.values[place >= 0]
        return out

    def _terms(self) -> dict[str, Any]:
        direction = self.config.direction
        return {
            "horizon": direction.horizon,
            "volatility_horizon": self.config.volatility.horizon,
            "label": direction.label,
        }


def _ns(dates: Dates) -> list[int]:
    return [int(one) for one in dates.astype("datetime64[ns]").astype(np.int64)]


def _same(mine: Float, theirs: Float) -> bool:
    """Whether two matrices have the same bits; NaN equals NaN."""
    if mine.__array_interface__["data"] == theirs.__array_interface__["data"] and mine.strides == theirs.strides:
        return True
    return bool((np.ascontiguousarray(mine).view(np.int64) == np.ascontiguousarray(theirs).view(np.int64)).all())

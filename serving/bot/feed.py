"""What steps are made from: bars and forecasts, live in :mod:`.champions` and recorded in :mod:`.past`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import pandas as pd

from configs.schema import Config
from configs.values import Kind
from features.alternative.stopped import StoppedSource
from features.bars.arrays import Dates
from features.bars.schema import SymbolBars
from serving.bot.closed_bars import ClosedBars, Row
from serving.journal.predictions import PredictionRow
from training.validation.backtest.market import Market


class Feed(Protocol):
    """Bars and forecasts of the symbols that a bot trades."""

    @property
    def config(self) -> Config:
        """The settings of the bot, with the horizons and labels of its models."""
        ...

    def versions(self, row: Row) -> Mapping[Kind, str]:
        """Return the models that forecast the bars of a date."""
        ...

    def refresh(self) -> None:
        """Read newer bars and another champion, if there are any.

        Raises
        ------
        ModelError, DataError, StoreError
            They cannot be read.
        """
        ...

    def verdicts(self, now: datetime) -> dict[str, tuple[ClosedBars, Dates]]:
        """Return which bars of each symbol are complete, and the dates of all."""
        ...

    def complete(self) -> Iterable[SymbolBars]:
        """Return the bars that were complete at the time of the last call of :meth:`verdicts`."""
        ...

    def forecasts(self, row: Row, versions: Mapping[Kind, str], made_by: str) -> list[PredictionRow]:
        """Return the forecasts of the bars of a date by these versions, without symbols that have no bar of it."""
        ...

    def market(self, row: Row, also: Sequence[str]) -> Market:
        """Return all bars up to a date, of the symbols that are forecast and of those in ``also``."""
        ...

    def stopped_sources(self) -> Sequence[StoppedSource] | None:
        """Return the alternative data that had stopped at the bars forecast last; None if none were forecast yet."""
        ...

    def tested(self, kind: Kind, version: str) -> pd.DataFrame:
        """Return the forecasts of a version's test: the record that a bot begins with."""
        ...

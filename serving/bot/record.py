"""The forecasts that were made so far, of which strategies measure the skill."""

from __future__ import annotations

from configs.schema import Config
from configs.values import Kind
from training.strategy.tables import Table


class Record:
    """Forecasts of the past and of the newest bar; one object for the life of a process.

    It contains the test table of the version with which the bot began, and every journaled prediction of the champion
    since. What a step decides depends on the content only, not on how it was added.

    Parameters
    ----------
    config
        Gives horizons and labels.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    def add(self, kind: Kind, table: Table) -> None:
        """Add forecasts, one row a ``symbol`` and ``date`` (of the bar); a newer row of the same replaces the older.

        Direction has ``p_down``, ``p_sideways``, ``p_up``; volatility ``forecast`` and, where known, ``low`` and
        ``high``, mean variances a bar. Rows of dates or symbols that the bars do not have are ignored until they do.

        Raises
        ------
        DataError
            A column is missing, or a value is not possible.
        """

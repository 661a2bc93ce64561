"""``/v1/bot``: the bots of the journal, read at most once in a few seconds and off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic_core import to_json

from serving.web.shared_answer import SharedAnswer

if TYPE_CHECKING:
    from serving.journal import Journal

_FRESH_S = 5.0


class LiveBots(SharedAnswer):
    """The JSON of :func:`serving.bot.desk.read_desk`.

    Parameters
    ----------
    open_database
        Opens the journal; called in a thread on first use, and again after an error.
    clock
        Returns the time (aware); by default it is the database's, so that a clock of this host that is wrong declares
        no bot dead.
    fresh_s
        Seconds for which an answer is given again.
    """

    def __init__(
        self,
        open_database: Callable[[], Journal],
        clock: Callable[[], datetime] | None = None,
        fresh_s: float = _FRESH_S,
    ) -> None:
        super().__init__(self._read, fresh_s)
        self._open, self._clock = open_database, clock
        self._journal: Journal | None = None

    def _read(self) -> bytes:
        from serving.bot.desk import read_desk

        if self._journal is None:
            self._journal = self._open()
        return to_json(read_desk(self._journal, self._now(self._journal)))

    def _now(self, journal: Journal) -> datetime:
        if self._clock is not None:
            return self._clock()
        with journal.connect() as connection:
            return journal.now(connection)

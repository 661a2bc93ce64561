"""``/v1/bot``: the bots of the journal, read at most once in a few seconds and off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from serving.web.shared_answer import OpenedAnswer

if TYPE_CHECKING:
    from serving.journal import Journal

_FRESH_S = 5.0


class LiveBots(OpenedAnswer["Journal"]):
    """The JSON of :func:`serving.bot.bot_document.read_bots`.

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
        super().__init__(open_database, self._read, fresh_s)
        self._clock = clock

    def _read(self, journal: Journal) -> dict[str, Any]:
        from serving.bot.bot_document import read_bots

        if self._clock is not None:
            return read_bots(journal, self._clock())
        with journal.connect() as connection:
            now = journal.now(connection)
        return read_bots(journal, now)

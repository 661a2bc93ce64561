"""``/v1/monitoring``: what the journal's forecasts are worth, computed at most once a minute and off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic_core import to_json

from serving.web.shared_answer import SharedAnswer

if TYPE_CHECKING:
    from serving.monitoring.monitor import Monitor

_FRESH_S = 60.0


class LiveMonitoring(SharedAnswer):
    """The JSON of :meth:`.MonitoringResult.to_json`, with ``words``: the same in sentences, by kind.

    Parameters
    ----------
    open_monitor
        Opens the journal and returns its monitor; called in a thread on first use, and again after an error.
    fresh_s
        Seconds for which an answer is given again.
    """

    def __init__(self, open_monitor: Callable[[], Monitor], fresh_s: float = _FRESH_S) -> None:
        super().__init__(self._computed, fresh_s)
        self._open = open_monitor
        self._monitor: Monitor | None = None

    def _computed(self) -> bytes:
        """Return the result; nothing is written, because the bot does that."""
        from serving.monitoring.words import in_words

        if self._monitor is None:
            self._monitor = self._open()
        result = self._monitor.run(store=False)
        return to_json(result.to_json() | {"words": in_words(result)})

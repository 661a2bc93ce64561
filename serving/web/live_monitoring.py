"""``/v1/monitoring``: what the journal's forecasts are worth, computed at most once a minute and off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from serving.web.shared_answer import OpenedAnswer

if TYPE_CHECKING:
    from serving.monitoring.monitor import Monitor

_FRESH_S = 60.0


class LiveMonitoring(OpenedAnswer["Monitor"]):
    """The JSON of :meth:`.MonitoringResult.to_json`, with ``words``: the same in sentences, by kind.

    Parameters
    ----------
    open_monitor
        Opens the journal and returns its monitor; called in a thread on first use, and again after an error.
    fresh_s
        Seconds for which an answer is given again.
    """

    def __init__(self, open_monitor: Callable[[], Monitor], fresh_s: float = _FRESH_S) -> None:
        super().__init__(open_monitor, _judged, fresh_s)


def _judged(monitor: Monitor) -> dict[str, Any]:
    """Return the result; nothing is written, because the bot does that."""
    from serving.monitoring.words import in_words

    result = monitor.run(store=False)
    return result.to_json() | {"words": in_words(result)}

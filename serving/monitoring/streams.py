r"""Sequential tests of forecasts over several bars, whose outcomes overlap.

A step may only be multiplied to earlier ones whose outcomes were known when it was forecast. So h streams take turns:
each gets a step that begins when its last one's outcome is known. Every stream is a test martingale, but in its own
sequence of information; their average is not one in the information of all (it may be stopped in the middle of an
overlapping forecast). Therefore the evidence is the *largest* stream divided by h: by the union bound it ever reaches
1/α with probability at most α.

References
----------
Henzi & Ziegel (2022). Biometrika 109, section 3.3 (streams).
Choe & Ramdas (2024). Combining evidence across filtrations. arXiv 2402.09698 (why averages are not valid).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from serving.monitoring.e_process import Betting, Wealth

_FREE = ""


@dataclass(frozen=True)
class Streams:
    """The wealth of each stream and the time (ISO) until which its last outcome was not known.

    ``skipped`` counts steps for which no stream was free, as with markets of different calendars.
    """

    wealth: tuple[Wealth, ...]
    busy_until: tuple[str, ...]
    skipped: int = 0

    @classmethod
    def initial(cls, horizon: int, betting: Betting) -> Streams:
        """Return ``horizon`` streams before their first step."""
        return cls((Wealth.initial(betting),) * horizon, (_FREE,) * horizon)

    def after(self, start: str, end: str, gap: float, betting: Betting) -> Streams:
        """Return the streams after a step forecast at ``start`` with outcomes known at ``end``, both ISO in UTC."""
        free = next((i for i, busy in enumerate(self.busy_until) if busy <= start), None)
        if free is None:
            return replace(self, skipped=self.skipped + 1)
        wealth, busy = list(self.wealth), list(self.busy_until)
        wealth[free], busy[free] = wealth[free].after(gap, betting), end
        return replace(self, wealth=tuple(wealth), busy_until=tuple(busy))

    def evidence(self, betting: Betting) -> float:
        """Return the largest stream's evidence divided by the number of streams."""
        return max(float(one.evidence(betting)) for one in self.wealth) / len(self.wealth)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        streams = [
            {"playing": one.playing.tolist(), "steps": one.steps, "busy_until": busy}
            for one, busy in zip(self.wealth, self.busy_until, strict=True)
        ]
        return {"streams": streams, "skipped": self.skipped}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Streams:
        """Invert :meth:`to_json`."""
        streams: Sequence[Mapping[str, Any]] = value["streams"]
        wealth = tuple(Wealth(np.asarray(one["playing"], np.float64), int(one["steps"])) for one in streams)
        return cls(wealth, tuple(str(one["busy_until"]) for one in streams), int(value["skipped"]))

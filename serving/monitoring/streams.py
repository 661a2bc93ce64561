r"""Sequential tests of forecasts over one or several bars: how a day's gap becomes a bet.

**Overlap.** A step may only be multiplied to earlier ones whose outcomes were known when it was forecast. So h streams
take turns: each gets a step that begins when its last one's outcome is known. Every stream is a test martingale, but in
its own sequence of information; their average is not one in the information of all (it may be stopped in the middle of
an overlapping forecast). Therefore the evidence is the *largest* stream divided by h: by the union bound it ever
reaches 1/α with probability at most α.

**Clipping.** The bound of a day's gap is what would happen if every symbol had its most favourable outcome on one day,
far more than what does happen, and bets that fear it are small. With ``clip`` a gap is bounded at ± that many times the
root mean square of earlier gaps, known when it was forecast, and divided by that bound. The null hypothesis is then
about losses bounded at that size, which a single crash does not decide; it is tested exactly.

References
----------
Henzi & Ziegel (2022). Biometrika 109, section 3.3 (streams).
Choe & Ramdas (2024). Combining evidence across filtrations. arXiv 2402.09698 (why averages are not valid).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from serving.monitoring.e_process import Betting, Wealth

CLIP = 3.0
_FREE = ""
_MEMORY = 0.996  # by which an older square counts less: half as much after 173 steps
_PRIOR = 2.0  # steps with gaps at their bound that the mean square begins with


@dataclass(frozen=True)
class Stream:
    """The wealth of a stream, and the time (ISO) until which its last outcome was not known."""

    wealth: Wealth
    busy_until: str = _FREE


@dataclass(frozen=True)
class Streams:
    """The streams of a test.

    Attributes
    ----------
    streams
        One a bar of the horizon.
    clip
        See above; None: gaps are used as they are.
    squares, weight
        Weighted sum of squares of earlier gaps, and of their weights.
    unknown
        Squares of gaps whose outcome is not known yet: (the time when it is, the square).
    skipped
        Steps for which no stream was free, as with markets of different calendars.
    """

    streams: tuple[Stream, ...]
    clip: float | None = None
    squares: float = 0.0
    weight: float = 0.0
    unknown: tuple[tuple[str, float], ...] = field(default=())
    skipped: int = 0

    @classmethod
    def initial(cls, horizon: int, betting: Betting, clip: float | None = None) -> Streams:
        """Return ``horizon`` streams before their first step."""
        squares = _PRIOR / clip**2 if clip else 0.0
        return cls((Stream(Wealth.initial(betting)),) * horizon, clip, squares, _PRIOR)

    def after(self, start: str, end: str, gap: float, betting: Betting) -> Streams:
        """Return the streams after a step.

        Parameters
        ----------
        start, end
            When it was forecast, and when its outcomes were known; ISO in UTC. Starts do not decrease.
        gap
            At least −1; with ``clip``, what is beyond the clip is cut off.
        """
        known = self._with_known(start)
        free = next((i for i, one in enumerate(self.streams) if one.busy_until <= start), None)
        bounded = known._bounded(gap)
        found = replace(known, unknown=(*known.unknown, (end, gap * gap))) if self.clip else known
        if free is None:
            return replace(found, skipped=found.skipped + 1)
        streams = list(found.streams)
        streams[free] = Stream(streams[free].wealth.after(bounded, betting), end)
        return replace(found, streams=tuple(streams))

    def evidence(self, betting: Betting) -> float:
        """Return the largest stream's evidence divided by the number of streams."""
        return max(float(one.wealth.evidence(betting)) for one in self.streams) / len(self.streams)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        streams = [
            {"playing": one.wealth.playing.tolist(), "steps": one.wealth.steps, "busy_until": one.busy_until}
            for one in self.streams
        ]
        return {**vars(self), "streams": streams, "unknown": [list(one) for one in self.unknown]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Streams:
        """Invert :meth:`to_json`."""
        streams = tuple(
            Stream(Wealth(np.asarray(one["playing"], np.float64), int(one["steps"])), str(one["busy_until"]))
            for one in value["streams"]
        )
        unknown = tuple((str(end), float(square)) for end, square in value["unknown"])
        return cls(**{**value, "streams": streams, "unknown": unknown})

    def _with_known(self, start: str) -> Streams:
        """Return the state with the squares of all outcomes that are known at ``start``."""
        squares, weight = self.squares, self.weight
        later = []
        for end, square in self.unknown:
            if end <= start:
                squares, weight = _MEMORY * squares + square, _MEMORY * weight + 1.0
            else:
                later.append((end, square))
        return replace(self, squares=squares, weight=weight, unknown=tuple(later))

    def _bounded(self, gap: float) -> float:
        if not self.clip:
            return gap
        bound = min(self.clip * math.sqrt(self.squares / self.weight), 1.0)
        return min(max(gap / bound, -1.0), 1.0) if bound > 0.0 else 0.0

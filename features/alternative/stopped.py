"""Sources that have stopped: series and texts without a new row for much longer than was usual for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from configs.errors import shortened
from features.alternative.known import MARKET, KnownData

Dates = npt.NDArray[np.datetime64]

_LEAST_GAPS = 3  # from which a usual distance is known
_QUANTILE, _TIMES = 0.95, 2.0
_DAY = np.timedelta64(1, "D")
_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class StoppedSource:
    """A source that has stopped for some symbols (``""`` is the market), such as ``options_iv30``.

    ``newest`` is the day of the newest row of the symbol that stopped last, ``usual_days`` the longest usual distance
    between its rows.
    """

    name: str
    symbols: tuple[str, ...]
    newest: str
    usual_days: float

    def __str__(self) -> str:
        """Return it as one line."""
        names = [symbol for symbol in self.symbols if symbol != MARKET]
        of = f" of {shortened(names)}" if names else ""
        usual = f"{self.usual_days:.0f} days" if self.usual_days >= 1.5 else "day"
        return (
            f"the source {self.name}{of} has stopped: its newest row is of {self.newest}, and rows usually come at "
            f"least every {usual}. Import newer rows, or its features count as missing"
        )


def usual_gap(times: Dates) -> np.timedelta64 | None:
    """Return the distance between rows that 95 % do not exceed, at least a day; None where fewer than four are known.

    Rows of one instant count once.
    """
    gaps = np.diff(np.unique(times.astype("datetime64[ns]"))).astype(np.int64)
    if len(gaps) < _LEAST_GAPS:
        return None
    return np.timedelta64(max(int(np.quantile(gaps, _QUANTILE)), _DAY_NS), "ns")


def has_stopped(times: Dates, now: np.datetime64) -> bool:
    """Return whether the newest of these times is older than twice the usual distance between them.

    Parameters
    ----------
    times
        When each row became known, or when an event takes place, UTC, (n,). Publications carry their own delay: a
        monthly series that is released six weeks late is a month old at most.
    now
        When that is judged, UTC; later publications must not be among ``times``.
    """
    usual = usual_gap(times)
    return usual is not None and bool(now - times.max() > _TIMES * usual)


def stopped_sources(known: KnownData, newest_bars: Mapping[str, np.datetime64]) -> list[StoppedSource]:
    """Return the sources that have stopped at the newest bar of their symbol, or of all symbols for the market's.

    Only what had become known by then counts. ``newest_bars`` are the dates of each symbol's last bar.
    """
    if not newest_bars:
        return []
    found: dict[str, list[tuple[np.datetime64, np.timedelta64, str]]] = {}
    for symbol, tables in known.tables.items():
        end = max(newest_bars.values()) if symbol == MARKET else newest_bars.get(symbol)
        if end is None:
            continue
        for table in tables:
            is_known = table.instants <= end + _DAY
            at = table.values[:, 0].astype("datetime64[ns]") if table.form == "event" else table.instants
            usual = usual_gap(at[is_known])
            if usual is not None and has_stopped(at[is_known], end):
                found.setdefault(table.prefix, []).append((at[is_known].max(), usual, symbol))
    return [
        StoppedSource(name, tuple(sorted(one for _, _, one in some)), str(max(some)[0])[:10], max(some)[1] / _DAY)
        for name, some in sorted(found.items())
    ]

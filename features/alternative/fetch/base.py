"""The interface of a source that data other than bars are fetched from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

import pandas as pd

from configs.errors import DataError
from features.alternative.fetch.credentials import Credential
from features.alternative.fetch.http import Http, SourceError

Items = Literal["series", "symbols", "place"]


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What to fetch: names, the first and last day (UTC, inclusive) or None, and a clock (UTC, with its zone)."""

    items: tuple[str, ...]
    start: date | None
    end: date | None
    clock: Callable[[], pd.Timestamp]

    @property
    def now(self) -> pd.Timestamp:
        """The time now: after an answer, a run of many requests is later than at its beginning."""
        return self.clock()

    def bounds(self) -> tuple[datetime, datetime]:
        """Return the first instant, and the last one, which is not after now.

        Raises
        ------
        DataError
            There is no start, or nothing lies between both.
        """
        now = self.now.to_pydatetime()
        if self.start is None:
            raise DataError("the first day is missing. Add it, such as --start 2024-01-01.")
        first = datetime.combine(self.start, time(), UTC)
        last = now if self.end is None else min(datetime.combine(self.end + timedelta(days=1), time(), UTC), now)
        if first >= last:
            raise DataError(
                f"there is nothing from {self.start} to {last:%Y-%m-%d %H:%M} UTC. Choose an earlier start."
            )
        return first, last

    def days(self) -> tuple[date, date]:
        """Return the first and the last day (inclusive); errors as for :meth:`bounds`."""
        first, last = self.bounds()
        return first.date(), (last - timedelta(microseconds=1)).date()


Fetch = Callable[[str, FetchRequest, Http], Iterator[pd.DataFrame]]
"""Yields frames of one item with the columns that ``data import --kind`` reads; :class:`.SourceError` for a failure.

Frames that were yielded before a failure are stored. An item whose rows are only right together is one frame.
"""


@dataclass(frozen=True, slots=True)
class FetchSpec:
    """One source.

    Attributes
    ----------
    name
        Its name on the command line and in the column ``source``.
    kind
        What its frames are, as for ``data import --kind``.
    items
        The option that names what to fetch.
    fetch
        Requests one item.
    base_url
        The server's address; another one may be given.
    credentials
        What the source asks for, read from the environment.
    needs_start
        Whether the first day must be given. Without it the source has no history, or returns all of it.
    timezone
        The zone of its times that name none.
    pause_s
        Time between two requests, by the source's limits.
    collected_by
        The columns that identify a text of a collector without history: it is stored again only if its text changes.
    """

    name: str
    kind: str
    items: Items
    fetch: Fetch
    base_url: str = ""
    credentials: tuple[Credential, ...] = ()
    needs_start: bool = True
    timezone: str | None = None
    pause_s: float = 0.0
    collected_by: tuple[str, ...] = ()


def records(answer: Any, name: str) -> list[dict[str, Any]]:
    """Return the list of records that an answer has under a name.

    Raises
    ------
    SourceError
        It has none: the source's interface has changed, or the address is not the source's.
    """
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise unexpected(f"list of records {name!r}")
    return found


def columns(answer: Any, names: tuple[str, ...]) -> pd.DataFrame:
    """Return lists of equal lengths that an answer has under these names as a frame; :class:`.SourceError` else."""
    lists = {name: answer.get(name) if isinstance(answer, dict) else None for name in names}
    if not all(isinstance(one, list) for one in lists.values()) or len({len(one or ()) for one in lists.values()}) > 1:
        raise unexpected(f"lists of equal lengths {', '.join(names)}")
    return pd.DataFrame(lists, dtype=object)


def unexpected(wanted: str) -> SourceError:
    """Return the error for an answer without something."""
    return SourceError(f"the answer has no {wanted}. Check --base-url; the source may have changed its interface.")

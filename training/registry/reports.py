"""The newest tear sheets of a store: ``<store>/reports/<time>-<title>.html``, each one complete page."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from configs.errors import StoreError
from features.store.store import Store

FOLDER = "reports"
KEPT = 10  # of about 5 MB
MAX_BYTES = 32 * 2**20

_TIME = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(r"(\d{8}T\d{12}Z)-[a-z0-9-]{1,80}\.html")


class Report(NamedTuple):
    """A stored tear sheet: its name, when it was made, and its size."""

    name: str
    created: datetime
    size_bytes: int


class Reports:
    """The tear sheets of a store, of which the newest 10 are kept."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def keep(self, title: str, page: bytes) -> str:
        """Store a page under a name made of the time and its title, delete the oldest ones, and return the name.

        Raises
        ------
        StoreError
            The page has more than 32 MiB, or the store cannot be written.
        """
        if len(page) > MAX_BYTES:
            raise StoreError(
                f"the tear sheet has {len(page):,} bytes; expected at most {MAX_BYTES:,} for a copy in the store. "
                "Backtest a shorter period or fewer symbols."
            )
        slug = re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")[:80] or "report"
        name = f"{datetime.now(UTC).strftime(_TIME)}-{slug}.html"
        self.store.write(f"{FOLDER}/{name}", page)
        for old in self.newest_first()[KEPT:]:
            self.store.delete(f"{FOLDER}/{old.name}")
        return name

    def newest_first(self) -> list[Report]:
        """Return all tear sheets; other files of the folder, and larger ones, are not among them."""
        found = []
        for entry in self.store.entries(FOLDER):
            match = _NAME.fullmatch(entry.name)
            if not match or entry.size is None or entry.size > MAX_BYTES:
                continue
            with suppress(ValueError):  # the digits are no time
                created = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
                found.append(Report(entry.name, created, entry.size))
        return sorted(found, reverse=True)

    def newest(self) -> bytes | None:
        """Return the newest page; None if there is none."""
        for report in self.newest_first():
            try:
                return self.store.read(f"{FOLDER}/{report.name}")
            except FileNotFoundError:  # a backtest that ended in between deleted it
                continue
        return None

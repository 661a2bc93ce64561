"""The tables of alternative data as Arrow schemas: every row has the instant from which it was known.

Conventions of all tables:

- ``symbol`` is empty for the whole market.
- ``known_from`` is the first instant at which a reader of the source could have used the row, in UTC. A bar uses a row
  if ``known_from`` is not after the close of its session. A date without a time counts from the end of that day.
- ``retrieved_at`` is when Fleetcast (or the user's collector) received the row, in UTC; null if unknown.
- ``source`` is a short name such as ``fred``, ``alpaca`` or the name of the imported file.
- Rows are appended and never changed: a revision or an edit is a further row with a later ``known_from``.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

INSTANT = pa.timestamp("ns", tz="UTC")

SERIES = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("series", pa.string(), nullable=False),
        pa.field("period", pa.timestamp("ns"), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("known_from", INSTANT, nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("retrieved_at", INSTANT),
    ]
)
"""Numeric series: macro, weather, yields, and the daily figures of options (``iv30``, ``skew``, ``put_volume`` …).

``period`` is the first day of the period that the value describes (midnight, without a zone): 2020-01-01 for January's
CPI, the session for a daily figure. Several rows of one ``(symbol, series, period)`` are its vintages.
"""

EVENTS = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("at", INSTANT, nullable=False),
        pa.field("known_from", INSTANT, nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("retrieved_at", INSTANT),
    ]
)
"""Scheduled events (``FOMC``, ``CPI``, ``PAYROLLS``, ``EARNINGS``).

``at`` is when the event takes place, ``known_from`` when its date was announced, which is usually months earlier. It
may be later, of an event that was not scheduled: such an event is never a coming one.
"""

TEXT = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("published_at", INSTANT, nullable=False),
        pa.field("known_from", INSTANT, nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("relevance", pa.float64()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("retrieved_at", INSTANT),
    ]
)
"""News, social posts, filings and central-bank statements.

``kind`` is ``news``, ``social``, ``filing`` or ``fed``. ``known_from`` is ``updated_at`` of an edited text, else
``published_at``; an edit has the ``id`` of the original. ``score`` in [−1, 1] and ``relevance`` in [0, 1] are those of
the source and null without them. A text about several symbols is one row for each.
"""

SCORES = pa.schema(
    [
        pa.field("text_sha256", pa.string(), nullable=False),
        pa.field("scorer", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("scored_at", INSTANT, nullable=False),
    ]
)
"""Scores of texts in [−1, 1].

``text_sha256`` is the digest of the text in NFC as UTF-8. ``scorer`` names the method and the version of its weights or
word list. The first score of a ``(text_sha256, scorer)`` is kept for ever; another version is another scorer.
"""

OPTIONS = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("quoted_at", INSTANT, nullable=False),
        pa.field("known_from", INSTANT, nullable=False),
        pa.field("expiry", pa.date32(), nullable=False),
        pa.field("strike", pa.float64(), nullable=False),
        pa.field("right", pa.string(), nullable=False),
        pa.field("bid", pa.float64()),
        pa.field("ask", pa.float64()),
        pa.field("volume", pa.float64()),
        pa.field("open_interest", pa.float64()),
        pa.field("iv", pa.float64()),
        pa.field("underlying", pa.float64()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("retrieved_at", INSTANT),
    ]
)
"""Quotes of option chains; ``right`` is ``call`` or ``put``.

``iv`` is the source's own annualised implied volatility (0.25 is 25 %), stored and not used: the daily figures
of chains (:mod:`features.alternative.options`) follow from bid and ask by one method. ``underlying`` is the price of
the stock at ``quoted_at``. The open interest in a chain quoted on day D is that of D − 1, published at 09:30 ET on D.
"""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table: its schema, the columns that identify a row, and the column of the instant that it is sorted by.

    ``name_column`` has the names that features are named after; empty if these are not the user's.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    order: str = "known_from"
    name_column: str = ""


TABLES = {
    spec.name: spec
    for spec in (
        TableSpec("series", SERIES, ("symbol", "series", "period", "known_from", "source"), name_column="series"),
        TableSpec("events", EVENTS, ("symbol", "event", "at", "known_from", "source"), name_column="event"),
        TableSpec("text", TEXT, ("symbol", "id", "known_from", "source")),
        TableSpec("scores", SCORES, ("text_sha256", "scorer"), "scored_at"),
        TableSpec("options", OPTIONS, ("symbol", "quoted_at", "expiry", "strike", "right", "source")),
    )
}
"""The tables by name. Of two rows with the same key the first stored one is kept."""

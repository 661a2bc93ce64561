"""Settings of the journal: the database of predictions, outcomes, orders and alerts."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from configs.values import Frozen, Positive, Seconds


def _without_password(url: str | None) -> str | None:
    """Return a URL as given; ``ValueError`` if it has a password, because settings are printed."""
    try:
        parts = None if url is None else urlsplit(url)
    except ValueError as error:
        raise ValueError(f"expected a URL such as postgresql://user@host/name ({error})") from None
    if parts is not None and (parts.password is not None or "password" in parts.query.lower()):
        raise ValueError(
            "settings are printed, so the URL may not have a password. Give the whole URL in the environment variable "
            "FLEETCAST_DATABASE, or the password in PGPASSWORD or ~/.pgpass"
        )
    return url


class JournalConfig(Frozen):
    """Where predictions and everything that follows from them are recorded; models do not depend on it."""

    url: Annotated[str | None, AfterValidator(_without_password)] = None
    """The database: ``sqlite:///file`` on a local disk, or ``postgresql://user@host/name``. Null means ``journal.db``
    in the folder of the store. FLEETCAST_DATABASE and --database come first."""
    busy_timeout_s: Seconds = 30.0
    """Seconds to wait for another writer, or for a database server to answer, before it is an error."""
    keep_days: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Days for which ``journal prune`` keeps predictions and what follows from them; null needs ``--keep-days``."""
    renamed: dict[str, str] = Field(default_factory=dict)
    """New names of symbols by old ones, such as ``{FB: META}``: what became of predictions of the old name comes from
    the bars of the new one."""
    queue_rows: Positive = 20_000
    """Predictions of ``serve --journal`` that may wait for the database in a replica; more are dropped and counted."""
    flush_s: Seconds = 0.5
    """Seconds for which ``serve --journal`` collects new predictions before it writes them together. How often known
    ones were served is written after ten times as long, or sooner when they fill half of ``queue_rows``."""

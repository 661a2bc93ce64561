"""Opens the journal: its database, with the tables of this version."""

from __future__ import annotations

import os

from pydantic import SecretStr

from configs.journal import JournalConfig
from features.store.store import Store
from serving.journal.database import Journal, connect_journal
from serving.journal.migrate import prepare


def open_journal(
    url: str | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    config: JournalConfig | None = None,
    *,
    create: bool = True,
) -> Journal:
    """Open the journal, with its tables made if there are none.

    Parameters
    ----------
    url
        The database; by default ``FLEETCAST_DATABASE``, then ``journal.url``, then ``journal.db`` in the store.
    store
        The store, by default as for :func:`features.store.store.open_store`.
    config
        Settings of the journal.
    create
        Whether a database without a journal gets one; otherwise it is an error.

    Raises
    ------
    ConfigError
        The URL is none of SQLite or Postgres, or the store is a bucket and there is no URL.
    DatabaseUnavailableError, DatabaseError
        The database cannot be opened, or its tables are of another version.
    """
    journal = connect_journal(url, store, config)
    try:
        prepare(journal, create=create)
    except BaseException:
        journal.close()
        raise
    return journal


def checked_url(
    url: str | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    config: JournalConfig | None = None,
) -> SecretStr:
    """Return the URL, password included, that other processes open; open it once, so that an error comes now.

    Raises
    ------
    ConfigError, DatabaseUnavailableError, DatabaseError
        As for :func:`open_journal`.
    """
    with open_journal(url, store, config) as journal:
        return SecretStr(journal.engine.url.render_as_string(hide_password=False))

"""A SQLite file that is removed or replaced while a process has it open.

Open connections of such a process would go on with the old file, which has no name any more, and all that they write
would be lost with the process; a new connection would make an empty file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

from configs.errors import DatabaseUnavailableError

_FILE = "file"


def watch_file(engine: Engine, public_url: str) -> None:
    """Check at the beginning of each transaction that the connection is one to the file that is there now.

    A file that was replaced, such as by a copy that was restored, is opened again. While there is none,
    ``DatabaseUnavailableError`` is raised.
    """
    path = Path(engine.url.database or "")
    seen = False

    def connecting(dialect: Any, record: Any, arguments: Any, options: Any) -> None:
        if seen and not path.exists():
            raise _removed(public_url)

    def connected(connection: Any, record: Any) -> None:
        nonlocal seen
        seen, record.info[_FILE] = True, _identity(path)

    def begins(connection: Any, record: Any, proxy: Any) -> None:
        found = _identity(path)
        if found is None:
            raise _removed(public_url)
        if found != record.info.get(_FILE):
            raise DisconnectionError(f"{path} was replaced")

    event.listen(engine, "do_connect", connecting)
    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", begins)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _removed(public_url: str) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(
        f"journal {public_url}: its file was removed while it was in use. Restore it from a copy; or end the processes "
        "that use it, and start them again with a new one."
    )

"""Reading the user's word lists, which are never shipped."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from configs.errors import DataError

_MOST_BYTES = 100_000_000


def read_word_file(path: str | PathLike[str], expected: str) -> bytes:
    """Return the bytes of a word list.

    Raises
    ------
    DataError
        There is no such file, it cannot be read, or it has more than 100 MB.
    """
    place = Path(path).expanduser()
    try:
        size = place.stat().st_size
        if size > _MOST_BYTES:
            raise DataError(f"{str(path)!r} has {size:,} bytes; expected {expected}, at most {_MOST_BYTES:,} bytes.")
        return place.read_bytes()
    except OSError as error:
        raise DataError(
            f"{str(path)!r} cannot be read ({error.strerror}); expected {expected}. "
            "Obtain the list under its own licence and give its path."
        ) from error

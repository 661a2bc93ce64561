"""An object as a seekable file, read in parts."""

from __future__ import annotations

import io
from typing import Any

from obstore.exceptions import PreconditionError

from configs.errors import StoreError
from features.store.object_client import answered


class ObjectReader(io.RawIOBase):
    """One state of an object: every part is requested under the condition that the object has not been replaced."""

    def __init__(self, client: Any, path: str, uri: str) -> None:
        self._client, self._path, self._uri, self._position = client, path, uri, 0
        self._meta = answered("read", uri, lambda: client.head(path))

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the current position; return the number of bytes read."""
        end = min(self._position + len(buffer), self._meta["size"])
        if self._position >= end:
            return 0
        options = {"range": (self._position, end)} | ({"if_match": tag} if (tag := self._meta["e_tag"]) else {})
        try:
            data = answered("read", self._uri, lambda: self._client.get(self._path, options=options).bytes())
        except PreconditionError as error:
            raise StoreError(f"{self._uri!r} was replaced while it was read. Run the same command again.") from error
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._meta["size"]}[whence]
        self._position = base + offset
        return self._position

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

"""Objects in a bucket (S3, GCS): each written completely or not at all, and changed by conditional writes only.

Credentials, region and endpoint come from the environment (``AWS_*``, ``GOOGLE_*``) or the machine's role. The bucket
orders concurrent writes: an object is replaced only if it still is in the state that was read.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
from obstore.exceptions import AlreadyExistsError, PreconditionError
from pyarrow import fs as pafs

from configs.errors import StoreError
from features.store.entries import Entry
from features.store.lease import hold_lease
from features.store.object_client import answered, client_options, connect, explained
from features.store.object_reader import ObjectReader

T = TypeVar("T")

_MAX_UPDATES = 50
_READ_AHEAD = 2**20


class ObjectFiles:
    """The objects below a prefix. Paths are relative to it and have been checked.

    Parameters
    ----------
    uri
        ``s3://bucket/prefix`` or ``gs://bucket/prefix``; ``memory://`` for objects in this process's memory.
    fail_fast
        Whether requests fail after seconds instead of minutes.

    Raises
    ------
    StoreError
        The scheme is unknown, or the URI contains credentials.
    """

    is_local = False

    def __init__(self, uri: str, *, fail_fast: bool = False) -> None:
        self.root = uri.rstrip("/")
        self._client = connect(uri, fail_fast=fail_fast)

    def write(self, path: str, data: bytes) -> None:
        """Put an object."""
        with self._explained("write", path):
            self._client.put(path, data)

    def create(self, path: str, data: bytes) -> bool:
        """Put an object if there is none; return whether it was written."""
        return self._put_if(path, data, None)

    def update(self, path: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        """Read, change and write; start again if another process wrote in between."""
        for attempt in range(_MAX_UPDATES):
            current, tag = self._read_with_tag(path)
            data = change(current)
            if data is None:
                return False
            if self._put_if(path, data, tag):
                return True
            time.sleep(random.uniform(0, min(0.05 * 2**attempt, 1.0)))
        raise StoreError(
            f"{self._uri(path)!r} was changed by other processes during {_MAX_UPDATES} attempts. Try again later."
        )

    def read(self, path: str) -> bytes:
        """Return an object's bytes."""
        return self._answered("read", path, lambda: bytes(self._client.get(path).bytes()))

    @contextmanager
    def open(self, path: str) -> Iterator[pa.NativeFile]:
        """Yield a file to read parts of the object, all of them as it was when opened."""
        reader = ObjectReader(self._client, path, self._uri(path))
        with pa.PythonFile(io.BufferedReader(reader, _READ_AHEAD), mode="r") as file:
            yield file

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the bucket."""
        self._answered("copy", source, lambda: self._client.copy(source, target))

    def exists(self, path: str) -> bool:
        """Whether an object of that name exists."""
        return bool(self._entry_of(path, ""))

    def entries(self, path: str) -> list[Entry]:
        """Return the objects and prefixes directly below a prefix, or the object itself."""
        folder = f"{path}/" if path else None
        found = self._answered("list", path, lambda: self._client.list_with_delimiter(folder))
        skip = len(path) + 1 if path else 0
        entries = [_entry(meta, skip) for meta in found["objects"]]
        entries += [Entry(prefix[skip:].rstrip("/"), None, 0) for prefix in found["common_prefixes"]]
        return entries or (self._entry_of(path, path.rpartition("/")[2]) if path else [])

    def below(self, path: str) -> list[Entry]:
        """Return every object below a prefix, or the object itself."""
        chunks = self._answered("list", path, lambda: list(self._client.list(f"{path}/")))
        found = [_entry(meta, len(path) + 1) for chunk in chunks for meta in chunk]
        return found or self._entry_of(path, "")

    def delete(self, path: str) -> int:
        """Delete an object or all objects below a prefix; return their total size in bytes."""
        found = self.below(path)
        names = [f"{path}/{entry.name}".rstrip("/") for entry in found]
        try:
            self._answered("delete", path, lambda: self._client.delete(names))
        except FileNotFoundError:  # another process deleted one first; GCS reports it, S3 does not
            for name in names:
                with suppress(FileNotFoundError):
                    self._answered("delete", path, partial(self._client.delete, name))
        return sum(entry.size or 0 for entry in found)

    def lock(self, name: str, *, wait: bool = True) -> AbstractContextManager[None]:
        """Hold a lease; another process takes it over a term after its holder stopped renewing it."""
        # A renewal that takes minutes comes too late to be one.
        files = self if self.root.startswith("memory:") else ObjectFiles(self.root, fail_fast=True)
        return hold_lease(files, f".locks/{name}", wait=wait)

    def arrow(self) -> tuple[pafs.FileSystem, str]:
        """Return a pyarrow file system of the bucket, and the root's path in it."""
        from obstore.fsspec import FsspecStore

        scheme, _, path = self.root.partition("://")
        files: Any = FsspecStore(scheme, **client_options(scheme))  # type: ignore[call-overload]
        return pafs.PyFileSystem(pafs.FSSpecHandler(files)), path

    def _read_with_tag(self, path: str) -> tuple[bytes | None, dict[str, str] | None]:
        """Return an object's bytes and the tag of this state of it; ``None`` for both if there is no object."""

        def get() -> tuple[bytes, dict[str, str]]:
            found = self._client.get(path)
            tag = {key: found.meta[key] for key in ("e_tag", "version") if found.meta[key] is not None}
            return bytes(found.bytes()), tag

        try:
            return self._answered("read", path, get)
        except FileNotFoundError:
            return None, None

    def _put_if(self, path: str, data: bytes, tag: dict[str, str] | None) -> bool:
        """Put an object if its state still has this tag (``None``: if there is no object); return whether it was."""
        try:
            with self._explained("write", path):
                self._client.put(path, data, mode="create" if tag is None else tag)
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):  # created, replaced or deleted meanwhile
            return False
        return True

    def _entry_of(self, path: str, name: str) -> list[Entry]:
        try:
            meta = self._answered("read", path, lambda: self._client.head(path))
            return [_entry(meta, 0)._replace(name=name)]
        except FileNotFoundError:
            return []

    def _uri(self, path: str) -> str:
        return f"{self.root}/{path}"

    def _answered(self, verb: str, path: str, call: Callable[[], T]) -> T:
        return answered(verb, self._uri(path).rstrip("/"), call)

    def _explained(self, verb: str, path: str) -> AbstractContextManager[None]:
        return explained(verb, self._uri(path).rstrip("/"))


def _entry(meta: Any, skip: int) -> Entry:
    changed_ns = int(meta["last_modified"].timestamp() * 1e9)  # whole seconds: the tag tells changes within one
    return Entry(meta["path"][skip:], meta["size"], changed_ns, tag=meta["e_tag"] or "")

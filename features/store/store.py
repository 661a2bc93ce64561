"""The store of everything that Fleetcast writes: a local folder or a bucket behind one interface.

A file is written completely or not at all, and concurrent updates lose no change. Symbols are encoded as file names so
that no symbol can refer to a path outside the store.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pyarrow as pa
from pyarrow import fs as pafs

from configs.errors import StoreError
from features.store.entries import Entry
from features.store.local_files import LocalFiles
from features.store.sealed import parse_sealed, seal_json

if TYPE_CHECKING:
    from features.store.object_files import ObjectFiles

_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)


def encode_symbol(symbol: str) -> str:
    """Return a reversible encoding of a symbol as file name: ``^GSPC`` → ``%5EGSPC``, ``..`` → ``%2E%2E``.

    Symbols are case sensitive. Lower-case letters are escaped (``Tsla`` → ``T%73%6C%61``), so that two symbols never
    share a file, even on a disk that ignores case.
    """
    if not symbol or len(symbol) > 64 or not symbol.isprintable():
        raise StoreError(
            f"symbol {symbol[:80]!r} has {len(symbol)} characters; expected 1 to 64 printable ones. "
            "Rename it in the data."
        )
    encoded = re.sub("[a-z.~]", lambda found: f"%{ord(found[0]):02X}", quote(symbol, safe="-_"))
    if len(encoded) > 200:
        raise StoreError(
            f"symbol {symbol!r} needs a file name of {len(encoded)} bytes; expected at most 200. Shorten it."
        )
    return f"%{ord(encoded[0]):02X}{encoded[1:]}" if _RESERVED.match(encoded) else encoded


def decode_symbol(name: str) -> str:
    """Invert :func:`encode_symbol`."""
    return unquote(name)


class Store:
    """A folder on a local disk or an object store, addressed by relative paths.

    Parameters
    ----------
    uri
        A local path, or a ``file://``, ``s3://`` or ``gs://`` URI. Folders are created on the first write; a bucket
        must exist.

    Raises
    ------
    StoreError
        The URI has an unknown scheme, or an operation fails (permission, full disk).
    """

    def __init__(self, uri: str | os.PathLike[str]) -> None:
        text = os.fspath(uri)
        self._files: LocalFiles | ObjectFiles
        if "://" in text and not text.startswith("file://"):
            from features.store.object_files import ObjectFiles

            self._files = ObjectFiles(text)
        else:
            folder = Path(unquote(text.removeprefix("file://"))) if "://" in text else Path(text)
            if not text.strip() or folder.is_file():
                problem = "is a file" if text.strip() else "is empty"
                raise StoreError(
                    f"store {text!r} {problem}; expected a folder (created if needed) or an s3:// or gs:// URI."
                )
            self._files = LocalFiles(folder.expanduser().absolute())
        self.root: str = self._files.root
        self.uri = text if "://" in text else self.root

    @property
    def is_local(self) -> bool:
        """Whether the store is on a local or mounted disk."""
        return self._files.is_local

    def path(self, *parts: str) -> str:
        """Return the path or URI of relative parts below the root; a ``StoreError`` if they lead outside."""
        return f"{self.root}/{self._inside(*parts)}"

    def lock(self, relative: str, *, wait: bool = True) -> AbstractContextManager[None]:
        """Hold the lock of this name; without ``wait``, ``BlockingIOError`` if another process holds it.

        On a disk the operating system releases it when the process ends in any way. On an object store it is a lease,
        which another process takes over half a minute after its holder ended.
        """
        return self._files.lock(self._inside(relative), wait=wait)

    def write(self, relative: str, data: bytes) -> None:
        """Write a file completely or not at all."""
        self._files.write(self._inside(relative), data)

    def create(self, relative: str, data: bytes) -> bool:
        """Write a file if there is none; return whether it was written."""
        return self._files.create(self._inside(relative), data)

    def update(self, relative: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        """Read a file (``None`` if there is none), change it and write it, atomically; return whether it was written.

        ``change`` returns ``None`` to leave the file unchanged. It is called again if another process wrote in between,
        and on its own result if the response to that write was lost: applied twice it must change nothing.
        """
        return self._files.update(self._inside(relative), change)

    def read(self, relative: str) -> bytes:
        """Return a file's bytes; ``FileNotFoundError`` if there is none."""
        return self._files.read(self._inside(relative))

    def open(self, relative: str) -> AbstractContextManager[pa.NativeFile]:
        """Yield a file to read parts of (``read_at``, ``size``); ``FileNotFoundError`` if there is none."""
        return self._files.open(self._inside(relative))

    def copy(self, source: str, target: str) -> None:
        """Copy a file, by a hard link or inside the bucket where possible; ``FileNotFoundError`` if there is none."""
        self._files.copy(self._inside(source), self._inside(target))

    def write_json(self, relative: str, value: Mapping[str, Any]) -> None:
        """Write a value as JSON with its SHA-256; equal values give equal bytes, NaN and infinity a ``ValueError``."""
        self.write(relative, seal_json(value))

    def read_json(self, relative: str) -> Any:
        """Return a JSON file's value; ``StoreError`` if it is no JSON, or not what was written."""
        try:
            return parse_sealed(self.read(relative))[0]
        except ValueError as error:
            raise StoreError(
                f"{self.path(relative)!r} is damaged ({error}). Delete it or restore it from a copy."
            ) from error

    def exists(self, relative: str) -> bool:
        """Whether a file of that name exists."""
        return self._files.exists(self._inside(relative))

    def names(self, relative: str) -> list[str]:
        """Return the sorted names directly in a folder, without temporary files; [] if there is no folder."""
        return sorted(entry.name for entry in self.entries(relative))

    def entries(self, relative: str | None = None) -> list[Entry]:
        """Return the files and folders directly in a folder (default: the root), or the file of that name."""
        return self._files.entries("" if relative is None else self._inside(relative))

    def size(self, relative: str) -> int:
        """Return the size in bytes of a file, or of all files below a folder."""
        return sum(entry.size or 0 for entry in self._files.below(self._inside(relative)))

    def stamp(self, relative: str) -> str:
        """Return a hash of the names, sizes and times of a file or of the files directly in a folder."""
        lines = sorted(f"{entry.name} {entry.size} {entry.changed_ns} {entry.tag}" for entry in self.entries(relative))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def changed_ns(self, relative: str) -> int | None:
        """Return when a file, or a folder or anything below it, last changed (ns since 1970); None if there is none."""
        return max((entry.changed_ns for entry in self._files.below(self._inside(relative))), default=None)

    def delete(self, relative: str) -> int:
        """Delete a file, or a folder with its contents, if it exists; return the bytes freed."""
        return self._files.delete(self._inside(relative))

    def arrow(self) -> tuple[pafs.FileSystem, str]:
        """Return a pyarrow file system and the root's path in it, for libraries that write to the store themselves."""
        if isinstance(self._files, LocalFiles):
            return pafs.LocalFileSystem(), self.root
        return self._files.arrow()

    def _inside(self, *parts: str) -> str:
        joined = "/".join(parts)
        if any(part in ("", ".", "..") for part in joined.split("/")) or "\\" in joined or "\0" in joined:
            raise StoreError(f"path {joined!r} is not inside the store. Use plain names.")
        return joined


def open_store(store: Store | str | os.PathLike[str] | None = None) -> Store:
    """Return a store, or that of a path or URI; by default of ``FLEETCAST_STORE`` or ``.fleetcast``.

    Raises
    ------
    StoreError
        This is neither, or no store can be there.
    """
    if store is None:
        store = os.environ.get("FLEETCAST_STORE", ".fleetcast")
    if isinstance(store, Store):
        return store
    if not isinstance(store, (str, os.PathLike)):
        raise StoreError(f"store is a {type(store).__name__}; expected a Store, or a path or URI such as '.fleetcast'.")
    return Store(store)

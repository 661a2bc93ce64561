"""Where everything is kept: one URI, local or object storage, and what both promise.

A file is written whole or not at all, and may be changed by many at once without a change being lost. Names of symbols
are encoded so that no name can leave the store.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
from pyarrow import fs as pafs

from configs.errors import StoreError
from features.store.entries import Entry
from features.store.local_files import LocalFiles

_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)


def encode_symbol(symbol: str) -> str:
    """Return a file-name-safe, reversible spelling of a symbol: ``^GSPC`` → ``%5EGSPC``, ``..`` → ``%2E%2E``.

    Symbols are case sensitive. Lower-case letters are escaped (``Tsla`` → ``T%73%6C%61``), so that two symbols
    never share a file, on a disk that ignores case either.
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
        A local path, ``file://``, ``s3://`` or ``gs://`` URI. Created on the first write; a bucket must exist.

    Raises
    ------
    StoreError
        The URI has an unknown scheme, or an operation fails (permission, full disk).
    """

    def __init__(self, uri: str | os.PathLike[str]) -> None:
        text = os.fspath(uri)
        self._files: Any
        if "://" in text and not text.startswith("file://"):
            from features.store.object_files import ObjectFiles

            self._files = ObjectFiles(text)
        else:
            folder = Path(unquote(text.removeprefix("file://"))) if "://" in text else Path(text)
            if not text.strip() or folder.is_file():
                what = "is a file" if text.strip() else "names nothing"
                raise StoreError(
                    f"store {text!r} {what}; expected a folder, made if need be, or an s3:// or gs:// URI."
                )
            self._files = LocalFiles(folder.expanduser().absolute())
        self.root: str = self._files.root
        self.uri = text if "://" in text else self.root

    @property
    def is_local(self) -> bool:
        """Whether the store is on a file system of this machine (or one mounted on it)."""
        return bool(self._files.is_local)

    def path(self, *parts: str) -> str:
        """Join relative parts below the root; parts that would leave it are refused."""
        return f"{self.root}/{self._inside(*parts)}"

    def lock(self, relative: str, *, wait: bool = True) -> AbstractContextManager[None]:
        """Hold the only lock of this name, waiting for whoever has it.

        On a disk the operating system drops it when its process ends in any way; on an object store it is a lease
        that others take over half a minute after its holder ended. Without ``wait`` a lock that another holds is a
        ``BlockingIOError``.
        """
        lock: AbstractContextManager[None] = self._files.lock(self._inside(relative), wait=wait)
        return lock

    def write(self, relative: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        self._files.write(self._inside(relative), data)

    def create(self, relative: str, data: bytes) -> bool:
        """Write a file unless there is one; return whether it was written."""
        return bool(self._files.create(self._inside(relative), data))

    def update(self, relative: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        """Read a file (``None`` if there is none), change it and write it, as one step; return whether it was written.

        ``change`` returns ``None`` to leave the file as it is. It may be called again, on what others wrote meanwhile,
        or on what it wrote itself if the answer to that was lost: there it must leave things as they are.
        """
        return bool(self._files.update(self._inside(relative), change))

    def read(self, relative: str) -> bytes:
        """Return a file's bytes; ``FileNotFoundError`` if there is none."""
        return bytes(self._files.read(self._inside(relative)))

    def open(self, relative: str) -> AbstractContextManager[pa.NativeFile]:
        """Yield a file to read parts of (``read_at``, ``size``); ``FileNotFoundError`` if there is none."""
        opened: AbstractContextManager[pa.NativeFile] = self._files.open(self._inside(relative))
        return opened

    def copy(self, source: str, target: str) -> None:
        """Give a file a second name, without reading it where that can be avoided; ``FileNotFoundError`` if none."""
        self._files.copy(self._inside(source), self._inside(target))

    def write_json(self, relative: str, value: Any) -> None:
        """Write a value as sorted JSON (so equal values give equal bytes); NaN and infinity are refused."""
        self.write(relative, to_bytes(value))

    def read_json(self, relative: str) -> Any:
        """Return a JSON file's value."""
        try:
            return json.loads(self.read(relative))
        except ValueError as error:
            raise StoreError(
                f"{self.path(relative)!r} is not valid JSON ({error}). Delete it or restore it from a copy."
            ) from error

    def exists(self, relative: str) -> bool:
        """Whether a file of that name exists."""
        return bool(self._files.exists(self._inside(relative)))

    def names(self, relative: str) -> list[str]:
        """Return the sorted names directly below a folder (temporary files left out); [] if there is none."""
        return sorted(one.name for one in self.entries(relative))

    def entries(self, relative: str | None = None) -> list[Entry]:
        """Return what lies directly in a folder (by default the store itself), or the file of that name."""
        return list(self._files.entries("" if relative is None else self._inside(relative)))

    def size(self, relative: str) -> int:
        """Return the bytes held below a file or folder."""
        return sum(one.size or 0 for one in self._below(relative))

    def stamp(self, relative: str) -> str:
        """Return a hash of names, sizes and times of a file or those directly in a folder: it changes when one does."""
        facts = sorted(f"{one.name} {one.size} {one.changed_ns} {one.tag}" for one in self.entries(relative))
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()

    def changed_ns(self, relative: str) -> int | None:
        """Return when a file, or a folder or anything in it, changed last (ns since 1970); None if there is none."""
        return max((one.changed_ns for one in self._below(relative)), default=None)

    def delete(self, relative: str) -> int:
        """Delete a file or a whole folder, and return the bytes that came free; nothing happens if there is none."""
        return int(self._files.delete(self._inside(relative)))

    def arrow(self) -> tuple[pafs.FileSystem, str]:
        """Return the store as libraries that write to it by themselves want it: a file system, and the root in it."""
        if self.is_local:
            return pafs.LocalFileSystem(), self.root
        found: tuple[pafs.FileSystem, str] = self._files.arrow()
        return found

    def _below(self, relative: str) -> list[Entry]:
        return list(self._files.below(self._inside(relative)))

    def _inside(self, *parts: str) -> str:
        joined = "/".join(parts)
        if any(p in ("", ".", "..") for p in joined.split("/")) or "\\" in joined or "\0" in joined:
            raise StoreError(f"path {joined!r} is not inside the store. Use plain names.")
        return joined


def to_bytes(value: Any) -> bytes:
    """Return a value as sorted JSON; NaN and infinity are refused."""
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False).encode()

"""Where everything is kept: one URI, local or object storage, with atomic writes.

Local paths publish by *temporary file, then rename*; object stores publish an object whole or not at
all by themselves. Names of symbols are encoded so that no name can leave the store.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
from pyarrow import fs as pafs

from configs.errors import StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
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


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else " ".join(str(error).split()).rstrip(".")


class Store:
    """A folder on a local disk or an object store, addressed by relative paths.

    Parameters
    ----------
    uri
        A local path, ``file://``, ``s3://`` or ``gs://`` URI. Created on the first write.

    Raises
    ------
    StoreError
        The URI has an unknown scheme, or an operation fails (permission, full disk).
    """

    def __init__(self, uri: str | os.PathLike[str]) -> None:
        text = os.fspath(uri)
        try:
            if "://" in text:
                self.fs, self.root = pafs.FileSystem.from_uri(text)
            else:
                self.fs, self.root = pafs.LocalFileSystem(), str(Path(text).expanduser().absolute())
        except (pa.ArrowInvalid, OSError) as error:
            raise StoreError(
                f"store {text!r} cannot be opened: {error}. Give a local path or an s3:// or gs:// URI."
            ) from error
        self.root = self.root.rstrip("/") or "/"
        if not text.strip() or (self.is_local and Path(self.root).is_file()):
            what = "is a file" if text.strip() else "names nothing"
            raise StoreError(f"store {text!r} {what}; expected a folder, made if need be, or an s3:// or gs:// URI.")
        self.uri = text if "://" in text else self.root

    @property
    def is_local(self) -> bool:
        """Whether the store is on a file system of this machine (or one mounted on it)."""
        return isinstance(self.fs, pafs.LocalFileSystem)

    def path(self, *parts: str) -> str:
        """Join relative parts below the root; parts that would leave it are refused."""
        joined = "/".join(parts)
        if any(p in ("", ".", "..") for p in joined.split("/")) or "\\" in joined or "\0" in joined:
            raise StoreError(f"path {joined!r} is not inside the store. Use plain names.")
        return f"{self.root}/{joined}"

    @contextmanager
    def _explained(self, verb: str, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = "Free some space" if error.errno in _FULL else "Check that the store exists and is writable"
            raise StoreError(
                f"cannot {verb} {path!r}: {_reason(error)}. {hint}, or choose another with --store."
            ) from error

    @contextmanager
    def lock(self, relative: str, *, wait: bool = True) -> Iterator[None]:
        """Hold the only lock of this name, waiting for whoever has it; no effect on object stores.

        The operating system drops it when its process ends in any way, so a crash leaves nothing stale. Object
        stores have no locks: let one process at a time write the same thing there. Without ``wait`` a lock that
        another holds is a ``BlockingIOError``.
        """
        if not self.is_local:
            yield
            return
        target = self.path(".locks", relative)
        with self._explained("lock", target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(descriptor)

    def write(self, relative: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        with self.writing(relative) as temporary, self.fs.open_output_stream(temporary) as stream:
            stream.write(data)

    @contextmanager
    def writing(self, relative: str) -> Iterator[str]:
        """Yield a path (of ``self.fs``) to write to; on success it becomes ``relative`` atomically."""
        target = self.path(relative)
        temporary = f"{target}.{uuid.uuid4().hex}.tmp" if self.is_local else target
        with self._explained("write", target):
            self.fs.create_dir(target.rsplit("/", 1)[0], recursive=True)
            try:
                yield temporary
                if self.is_local:
                    with open(temporary, "rb") as handle:
                        os.fsync(handle.fileno())
                    os.replace(temporary, target)
            except BaseException:
                if self.is_local and os.path.exists(temporary):
                    os.unlink(temporary)
                raise

    def read(self, relative: str) -> bytes:
        """Return a file's bytes; ``FileNotFoundError`` if there is none."""
        target = self.path(relative)
        try:
            with self.fs.open_input_stream(target) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"cannot read {target!r}: {_reason(error)}. Check the store's permissions.") from error

    @contextmanager
    def open(self, relative: str) -> Iterator[pa.NativeFile]:
        """Yield a file to read parts of (``read_at``, ``size``); ``FileNotFoundError`` if there is none."""
        target = self.path(relative)
        try:
            with self.fs.open_input_file(target) as file:
                yield file
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"cannot read {target!r}: {_reason(error)}. Check the store's permissions.") from error

    def write_json(self, relative: str, value: Any) -> None:
        """Write a value as sorted JSON (so equal values give equal bytes); NaN and infinity are refused."""
        self.write(relative, json.dumps(value, sort_keys=True, indent=1, allow_nan=False).encode())

    def read_json(self, relative: str) -> Any:
        """Return a JSON file's value."""
        try:
            return json.loads(self.read(relative))
        except ValueError as error:
            raise StoreError(
                f"{self.path(relative)!r} is not valid JSON ({error}). Delete it or restore it from a copy."
            ) from error

    def exists(self, relative: str) -> bool:
        """Whether a file or folder of that name exists."""
        return bool(self.fs.get_file_info(self.path(relative)).type != pafs.FileType.NotFound)

    def names(self, relative: str) -> list[str]:
        """Return the sorted names directly below a folder (temporary files left out); [] if there is none."""
        target = self.path(relative)
        with self._explained("list", target):
            found = self.fs.get_file_info(pafs.FileSelector(target, allow_not_found=True))
        return sorted(i.base_name for i in found if not i.base_name.endswith(".tmp"))

    def size(self, relative: str) -> int:
        """Return the bytes held below a file or folder."""
        info = self.fs.get_file_info(self.path(relative))
        if info.type == pafs.FileType.File:
            return int(info.size)
        selector = pafs.FileSelector(self.path(relative), recursive=True, allow_not_found=True)
        return sum(int(i.size or 0) for i in self.fs.get_file_info(selector) if i.type == pafs.FileType.File)

    def stamp(self, relative: str) -> str:
        """Return a hash of names, sizes and times of the files directly below a folder: it changes when one does."""
        target = self.path(relative)
        with self._explained("list", target):
            found = self.fs.get_file_info(pafs.FileSelector(target, allow_not_found=True))
        facts = sorted(f"{i.base_name} {i.size} {i.mtime_ns}" for i in found if not i.base_name.endswith(".tmp"))
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()

    def delete(self, relative: str) -> None:
        """Delete a file or a whole folder; nothing happens if there is none."""
        target = self.path(relative)
        info = self.fs.get_file_info(target)
        with self._explained("delete", target):
            if info.type == pafs.FileType.Directory:
                self.fs.delete_dir(target)
            elif info.type == pafs.FileType.File:
                self.fs.delete_file(target)

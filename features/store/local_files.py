"""Files on a local or mounted disk: each written completely or not at all, locked by the operating system."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from configs.errors import DiskFullError, StoreError
from features.store.entries import Entry

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LocalFiles:
    """The files below a folder. Paths are relative to it and have been checked.

    Parameters
    ----------
    root
        The folder, created on the first write.
    """

    is_local = True

    def __init__(self, root: Path) -> None:
        self.root = str(root).rstrip("/") or "/"

    def write(self, path: str, data: bytes) -> None:
        """Write a temporary file, then rename it."""
        with self._prepared(path, data) as (temporary, target):
            os.replace(temporary, target)

    def create(self, path: str, data: bytes) -> bool:
        """Write a temporary file, then hard-link it to its name, which fails if the name exists."""
        with self._prepared(path, data) as (temporary, target):
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
            except OSError:  # the file system has no hard links
                if os.path.exists(target):
                    return False
                os.replace(temporary, target)
        return True

    def update(self, path: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        """Read, change and write under the file's lock."""
        with self.lock(path):
            try:
                current = self.read(path)
            except FileNotFoundError:
                current = None
            data = change(current)
            if data is not None:
                self.write(path, data)
        return data is not None

    def read(self, path: str) -> bytes:
        """Return a file's bytes."""
        with _explained("read", self._at(path)):
            return Path(self._at(path)).read_bytes()

    @contextmanager
    def open(self, path: str) -> Iterator[pa.NativeFile]:
        """Yield a file to read parts of."""
        with _explained("read", self._at(path)):
            file = pa.OSFile(self._at(path))
        with file:
            yield file

    def copy(self, source: str, target: str) -> None:
        """Hard-link a file, which equals a copy because files are replaced, never changed; else copy its bytes."""
        destination = self._at(target)
        with _explained("write", destination):
            os.makedirs(os.path.dirname(destination), exist_ok=True)
        with suppress(OSError):
            os.link(self._at(source), destination)
            return
        self.write(target, self.read(source))

    def exists(self, path: str) -> bool:
        """Whether a file or folder of that name exists."""
        return os.path.exists(self._at(path))

    def entries(self, path: str) -> list[Entry]:
        """Return the files and folders directly in a folder, or the file itself; without temporary files."""
        target = self._at(path)
        found = []
        with _explained("list", target), suppress(FileNotFoundError):
            if not os.path.isdir(target):
                return [_entry(os.path.basename(target), os.stat(target))]
            with os.scandir(target) as scanned:
                for item in scanned:
                    with suppress(FileNotFoundError):  # deleted between the two calls
                        found.append(_entry(item.name, item.stat(), item.is_dir()))
        return [entry for entry in found if not entry.name.endswith(".tmp")]

    def below(self, path: str) -> list[Entry]:
        """Return all files and folders below a folder, with paths as names, the folder itself and temporary files."""
        target = self._at(path)
        found = []
        with _explained("list", target), suppress(FileNotFoundError):
            found.append(_entry("", os.stat(target), os.path.isdir(target)))
            for folder, folders, files in os.walk(target):
                for name in (*folders, *files):
                    item = os.path.join(folder, name)
                    with suppress(FileNotFoundError):
                        found.append(_entry(os.path.relpath(item, target), os.stat(item), name in folders))
        return found

    def delete(self, path: str) -> int:
        """Delete a file or folder; return the bytes freed (a file that has another hard link frees none)."""
        target = self._at(path)
        freed = sum(entry.size for entry in self.below(path) if entry.size is not None and entry.names == 1)
        with _explained("delete", target):
            if os.path.isdir(target) and not os.path.islink(target):
                shutil.rmtree(target, onerror=_ignore_missing)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(target)
        return freed

    @contextmanager
    def lock(self, name: str, *, wait: bool = True) -> Iterator[None]:
        """Hold a lock of the operating system, which releases it when the process ends in any way."""
        target = self._at(f".locks/{name.replace('/', '--')}.lock")
        with _explained("lock", target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _prepared(self, path: str, data: bytes) -> Iterator[tuple[str, str]]:
        """Yield the paths of a temporary file with these bytes, flushed to disk, and of the target."""
        target = self._at(path)
        temporary = f"{target}.{uuid.uuid4().hex}.tmp"
        with _explained("write", target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            try:
                with open(temporary, "wb") as handle:
                    handle.write(data)
                    handle.flush()
                    os.fsync(handle.fileno())
                yield temporary, target
            finally:
                with suppress(OSError):
                    os.unlink(temporary)

    def _at(self, path: str) -> str:
        return f"{self.root}/{path}"


def _ignore_missing(function: Callable[..., Any], path: str, info: Any) -> None:
    """Continue if another process deleted the file or folder first."""
    if not isinstance(info[1], FileNotFoundError):
        raise info[1]


def _entry(name: str, stat: os.stat_result, is_folder: bool = False) -> Entry:
    return Entry(name, None if is_folder else stat.st_size, stat.st_mtime_ns, stat.st_nlink)


@contextmanager
def _explained(verb: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and verb == "read":
            raise
        is_full = error.errno in _DISK_FULL
        hint = "Free some space" if is_full else "Check that the store exists and is writable"
        reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split()).rstrip(".")
        kind = DiskFullError if is_full else StoreError
        raise kind(f"cannot {verb} {path!r}: {reason}. {hint}, or choose another with --store.") from error

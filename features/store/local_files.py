"""Files on a disk of this machine, or one mounted on it: written whole or not at all, locked by the system."""

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

from configs.errors import StoreError
from features.store.entries import Entry

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LocalFiles:
    """The files below a folder; paths are relative to it and have been checked.

    Parameters
    ----------
    root
        The folder, made on the first write.
    """

    is_local = True

    def __init__(self, root: Path) -> None:
        self.root = str(root).rstrip("/") or "/"

    def write(self, path: str, data: bytes) -> None:
        """Publish by temporary file, then rename."""
        with self._prepared(path, data) as (temporary, target):
            os.replace(temporary, target)

    def create(self, path: str, data: bytes) -> bool:
        """Publish by temporary file, then a second name for it, which there can be only one of."""
        with self._prepared(path, data) as (temporary, target):
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
            except OSError:  # no hard links here
                if os.path.exists(target):
                    return False
                os.replace(temporary, target)
        return True

    def update(self, path: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        """Read, change and write while nobody else does."""
        with self.lock(path):
            try:
                held = self.read(path)
            except FileNotFoundError:
                held = None
            data = change(held)
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
            opened = pa.OSFile(self._at(path))
        with opened as file:
            yield file

    def copy(self, source: str, target: str) -> None:
        """Give a file a second name: a hard link where the file system has them (files are replaced, never changed)."""
        here, there = self._at(source), self._at(target)
        with _explained("write", there):
            os.makedirs(os.path.dirname(there), exist_ok=True)
        with suppress(OSError):
            os.link(here, there)
            return
        self.write(target, self.read(source))

    def exists(self, path: str) -> bool:
        """Whether a file or folder of that name exists."""
        return os.path.exists(self._at(path))

    def entries(self, path: str) -> list[Entry]:
        """Return what lies directly in a folder, or the file itself."""
        target = self._at(path)
        found = []
        with _explained("list", target), suppress(FileNotFoundError):
            if not os.path.isdir(target):
                return [_entry(os.path.basename(target), os.stat(target))]
            with os.scandir(target) as scanned:
                for one in scanned:
                    with suppress(FileNotFoundError):  # gone between the two calls
                        found.append(_entry(one.name, one.stat(), one.is_dir()))
        return [one for one in found if not one.name.endswith(".tmp")]

    def below(self, path: str) -> list[Entry]:
        """Return everything below a folder, temporary files and the folder itself included, by path."""
        target = self._at(path)
        found = []
        with _explained("list", target), suppress(FileNotFoundError):
            found.append(_entry("", os.stat(target), os.path.isdir(target)))
            for folder, folders, files in os.walk(target):
                for name in (*folders, *files):
                    place = os.path.join(folder, name)
                    with suppress(FileNotFoundError):
                        found.append(_entry(os.path.relpath(place, target), os.stat(place), name in folders))
        return found

    def delete(self, path: str) -> int:
        """Delete a file or folder, and return the bytes that came free: a file with another name frees none."""
        target = self._at(path)
        freed = sum(one.size for one in self.below(path) if one.size is not None and one.names == 1)
        with _explained("delete", target):
            if os.path.isdir(target) and not os.path.islink(target):
                shutil.rmtree(target, onerror=_unless_gone)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(target)
        return freed

    @contextmanager
    def lock(self, name: str, *, wait: bool = True) -> Iterator[None]:
        """Hold a lock of the system, which drops it when its process ends in any way."""
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
        """Yield a temporary file with these bytes, on the disk, and the name that it is for."""
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


def _unless_gone(function: Callable[..., Any], path: str, caught: Any) -> None:
    """Go on where another deleted it first, whatever it is."""
    if not isinstance(caught[1], FileNotFoundError):
        raise caught[1]


def _entry(name: str, stat: os.stat_result, is_folder: bool = False) -> Entry:
    return Entry(name, None if is_folder else stat.st_size, stat.st_mtime_ns, stat.st_nlink)


@contextmanager
def _explained(verb: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and verb == "read":
            raise
        hint = "Free some space" if error.errno in _FULL else "Check that the store exists and is writable"
        reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split()).rstrip(".")
        raise StoreError(f"cannot {verb} {path!r}: {reason}. {hint}, or choose another with --store.") from error

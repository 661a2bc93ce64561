"""Finding table files on a disk or in a bucket: a file, the files of a folder, or those of a glob."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.reading.container import names_in_archive
from features.bars.reading.unpacking import decompressed, member
from features.store.entries import Entry
from features.store.object_client import redacted
from features.store.store import Store

FORMATS = (".csv", ".txt", ".tsv", ".parquet", ".pq", ".feather", ".arrow", ".json", ".jsonl", ".xlsx", ".xls", ".ods")
_COMPRESSIONS = ("", ".gz", ".bz2", ".xz", ".zst")
SUFFIXES = (*(kind + compression for kind in FORMATS for compression in _COMPRESSIONS), ".zip")
_LONGEST_FIRST = sorted(SUFFIXES, key=len, reverse=True)
_HEAD, _BLOCK = 64, 1 << 20


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of bars: its folder, name, size in bytes, and a ``stamp`` that changes with its content.

    ``inside`` is the name of a file in a zip archive. A compressed file may hold ``limit`` bytes.
    """

    folder: Store
    name: str
    size: int
    stamp: str
    limit: int
    inside: str = ""

    def __str__(self) -> str:
        return self.folder.path(self.name) + (f"!{self.inside}" if self.inside else "")

    @property
    def stem(self) -> str:
        """The name without suffix, which is the symbol of a file without a symbol column."""
        name = self.inside.rpartition("/")[2] or self.name
        lower = name.lower()
        suffix = next((s for s in _LONGEST_FIRST if lower.endswith(s)), None)
        stem = name[: -len(suffix)] if suffix else Path(name).stem
        return stem.removesuffix(".csv") if suffix == ".zip" else stem

    @contextmanager
    def open(self) -> Iterator[pa.NativeFile]:
        """Yield the decompressed content; ``DataError`` after ``limit`` bytes of a compressed one."""
        if self.inside:
            yield pa.BufferReader(
                member(_archive(self.folder, self.name, self.stamp), self.inside, self.limit, repr(str(self)))
            )
            return
        with self.folder.open(self.name) as file:
            head = file.read(_HEAD)
            file.seek(0)
            yield decompressed(file, head, self.limit, repr(str(self)))

    def check_size(self) -> None:
        """Raise ``DataError`` if a compressed file on a disk holds more than ``limit`` bytes; nothing is kept."""
        if self.inside or not self.folder.is_local:
            return  # the limit of an object applies while it is read, which is slower than reading a disk twice
        with self.folder.open(self.name) as file:
            head = file.read(_HEAD)
            file.seek(0)
            stream = decompressed(file, head, self.limit, repr(str(self)))
            while stream is not file and stream.read(_BLOCK):
                pass


@lru_cache(maxsize=2)
def _archive(folder: Store, name: str, stamp: str) -> bytes:
    with folder.open(name) as file:
        return bytes(file.read())


def _unzipped(file: TableFile) -> list[TableFile]:
    """Return the tables in a zip archive, or the file itself if it is none."""
    if not file.name.lower().endswith(".zip") or not file.size:
        return [file]
    names = names_in_archive(_archive(file.folder, file.name, file.stamp), repr(str(file)), file.limit)
    if names is None:
        return [file]
    tables = [name for name in names if _is_table(name.rpartition("/")[2])] if len(names) > 1 else names
    return [replace(file, inside=name) for name in tables]


def is_remote(spec: str) -> bool:
    """Whether ``spec`` is the URI of a bucket."""
    return spec.startswith(("s3://", "gs://"))


def find(spec: str, limit: int = ReadingConfig().max_unpacked_bytes) -> list[TableFile]:
    """Return the files of a path to a file, a folder or a glob, sorted by name; those in zip archives one by one.

    Folders in a folder are searched only if it has no files of bars itself. A compressed file may hold ``limit``
    bytes.

    Raises
    ------
    DataError
        There are none, or a URI contains credentials.
    StoreError
        The bucket cannot be read.
    """
    if is_remote(spec) and ("@" in spec.split("/")[2] or re.search(r"\?\w+=", spec)):
        raise DataError(f"{redacted(spec)!r} has credentials or a query. Give credentials in the environment.")
    found = _in_bucket(spec.rstrip("/"), limit) if is_remote(spec) else _on_disk(spec, limit)
    if not found:
        problem = "has no bars" if _exists(spec) else "does not exist"
        raise DataError(
            f"{spec!r} {problem}; expected a file, a folder or a glob of {', '.join(FORMATS)} or .zip. Check the path."
        )
    return sorted((table for file in found for table in _unzipped(file)), key=str)


def _exists(spec: str) -> bool:
    return glob.has_magic(spec) or is_remote(spec) or Path(spec).expanduser().exists()


def _on_disk(spec: str, limit: int) -> list[TableFile]:
    path = Path(spec).expanduser()
    if path.is_dir():
        paths = [file for file in path.iterdir() if _is_table(file.name) and file.is_file()]
        paths = paths or [file for file in path.rglob("*") if _is_table(file.name) and file.is_file()]
    elif path.exists():
        paths = [path]
    else:
        paths = [file for file in map(Path, glob.glob(str(path), recursive=True)) if _is_table(file.name)]
    stats = [(file.absolute(), file.stat()) for file in paths if file.is_file()]
    return [TableFile(_folder(str(file.parent)), file.name, s.st_size, str(s.st_mtime_ns), limit) for file, s in stats]


def _in_bucket(spec: str, limit: int) -> list[TableFile]:
    parent, _, pattern = spec.rpartition("/")
    if glob.has_magic(parent):
        raise DataError(
            f"{spec!r} has a pattern among its folders. Give one of file names only, such as s3://b/f/*.csv."
        )
    if not parent.partition("://")[2]:
        parent, pattern = spec, ""
    folder = _folder(parent)
    if not glob.has_magic(pattern):
        if pattern and _is_table(pattern) and folder.exists(pattern):
            (entry,) = folder.entries(pattern)
            return [_table_file(folder, entry, limit)]
        folder, pattern = _folder(spec), "*"
    return [
        _table_file(folder, entry, limit)
        for entry in folder.entries()
        if entry.size is not None and _is_table(entry.name) and fnmatch.fnmatchcase(entry.name, pattern)
    ]


def _table_file(folder: Store, entry: Entry, limit: int) -> TableFile:
    return TableFile(folder, entry.name, entry.size or 0, f"{entry.changed_ns} {entry.tag}", limit)


def _is_table(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


@lru_cache(maxsize=64)
def _folder(path: str) -> Store:
    return Store(path)

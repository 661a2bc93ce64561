"""Finding table files on a disk or in a bucket: a file, the files of a folder, or those of a glob."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from configs.errors import DataError
from features.store.entries import Entry
from features.store.object_client import redacted
from features.store.store import Store

SUFFIXES = (".csv", ".csv.gz", ".txt", ".txt.gz", ".parquet")


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of bars: its folder, name, size in bytes, and a ``stamp`` that changes with its content."""

    folder: Store
    name: str
    size: int
    stamp: str

    def __str__(self) -> str:
        return self.folder.path(self.name)

    @property
    def stem(self) -> str:
        """The name without suffix, which is the symbol of a file without a symbol column."""
        suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if self.name.lower().endswith(s)), None)
        return self.name[: -len(suffix)] if suffix else Path(self.name).stem

    @property
    def is_parquet(self) -> bool:
        """Whether it is Parquet; otherwise it is text."""
        return self.name.lower().endswith(".parquet")

    @contextmanager
    def open(self) -> Iterator[pa.NativeFile]:
        """Yield the decompressed content."""
        with self.folder.open(self.name) as file:
            yield pa.CompressedInputStream(file, "gzip") if self.name.lower().endswith(".gz") else file


def is_remote(spec: str) -> bool:
    """Whether ``spec`` is the URI of a bucket."""
    return spec.startswith(("s3://", "gs://"))


def find(spec: str) -> list[TableFile]:
    """Return the files of a path to a file, a folder (not searched recursively) or a glob, sorted by name.

    Raises
    ------
    DataError
        There are none, or a URI contains credentials.
    StoreError
        The bucket cannot be read.
    """
    if is_remote(spec) and ("@" in spec.split("/")[2] or re.search(r"\?\w+=", spec)):
        raise DataError(f"{redacted(spec)!r} has credentials or a query. Give credentials in the environment.")
    found = _in_bucket(spec.rstrip("/")) if is_remote(spec) else _on_disk(spec)
    if not found:
        problem = "has no bars" if _exists(spec) else "does not exist"
        raise DataError(
            f"{spec!r} {problem}; expected a file, a folder or a glob of {', '.join(SUFFIXES)}. Check the path."
        )
    return sorted(found, key=str)


def _exists(spec: str) -> bool:
    return glob.has_magic(spec) or is_remote(spec) or Path(spec).expanduser().exists()


def _on_disk(spec: str) -> list[TableFile]:
    path = Path(spec).expanduser()
    if path.is_dir():
        paths = [file for file in path.iterdir() if _is_table(file.name)]
    elif path.exists():
        paths = [path]
    else:
        paths = [file for file in map(Path, glob.glob(str(path), recursive=True)) if _is_table(file.name)]
    stats = [(file.absolute(), file.stat()) for file in paths if file.is_file()]
    return [TableFile(_folder(str(file.parent)), file.name, s.st_size, str(s.st_mtime_ns)) for file, s in stats]


def _in_bucket(spec: str) -> list[TableFile]:
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
            return [_table_file(folder, entry)]
        folder, pattern = _folder(spec), "*"
    return [
        _table_file(folder, entry)
        for entry in folder.entries()
        if entry.size is not None and _is_table(entry.name) and fnmatch.fnmatchcase(entry.name, pattern)
    ]


def _table_file(folder: Store, entry: Entry) -> TableFile:
    return TableFile(folder, entry.name, entry.size or 0, f"{entry.changed_ns} {entry.tag}")


def _is_table(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


@lru_cache(maxsize=64)
def _folder(path: str) -> Store:
    return Store(path)

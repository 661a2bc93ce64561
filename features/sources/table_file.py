"""Files of tables, wherever they lie: a disk or a bucket, one, a folder's or a glob's."""

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
    """A file of bars: the ``place`` it lies in, its name there, size in bytes, and a ``stamp`` that changes with it."""

    place: Store
    name: str
    size: int
    stamp: str

    def __str__(self) -> str:
        return self.place.path(self.name)

    @property
    def stem(self) -> str:
        """The name without its suffix: the symbol that a file without a symbol column holds."""
        suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if self.name.lower().endswith(s)), None)
        return self.name[: -len(suffix)] if suffix else Path(self.name).stem

    @property
    def is_parquet(self) -> bool:
        """Whether it is Parquet; the others are text."""
        return self.name.lower().endswith(".parquet")

    @contextmanager
    def open(self) -> Iterator[pa.NativeFile]:
        """Yield its content, decompressed."""
        with self.place.open(self.name) as file:
            yield pa.CompressedInputStream(file, "gzip") if self.name.lower().endswith(".gz") else file


def is_remote(spec: str) -> bool:
    """Whether a text names a place in a bucket."""
    return spec.startswith(("s3://", "gs://"))


def find(spec: str) -> list[TableFile]:
    """Return the files that a file, a folder (its first level) or a glob means, by name.

    Raises
    ------
    DataError
        There are none.
    StoreError
        The bucket cannot be read.
    """
    if is_remote(spec) and ("@" in spec.split("/")[2] or re.search(r"\?\w+=", spec)):
        raise DataError(f"{redacted(spec)!r} was given with more than a place. Give credentials in the environment.")
    found = _in_bucket(spec.rstrip("/")) if is_remote(spec) else _on_disk(spec)
    if not found:
        what = "holds no bars; expected" if _is_there(spec) else "does not exist; expected"
        raise DataError(f"{spec!r} {what} a file, a folder or a glob of {', '.join(SUFFIXES)}. Check the path.")
    return sorted(found, key=str)


def _is_there(spec: str) -> bool:
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
    return [TableFile(_place(str(file.parent)), file.name, s.st_size, str(s.st_mtime_ns)) for file, s in stats]


def _in_bucket(spec: str) -> list[TableFile]:
    folder, _, pattern = spec.rpartition("/")
    if glob.has_magic(folder):
        raise DataError(
            f"{spec!r} has a pattern among its folders. Give one of file names only, such as s3://b/f/*.csv."
        )
    if not folder.partition("://")[2]:
        folder, pattern = spec, ""
    place = _place(folder)
    if not glob.has_magic(pattern):
        if pattern and _is_table(pattern) and place.exists(pattern):
            (entry,) = place.entries(pattern)
            return [_of(place, entry)]
        place, pattern = _place(spec), "*"
    return [
        _of(place, one)
        for one in place.entries()
        if one.size is not None and _is_table(one.name) and fnmatch.fnmatchcase(one.name, pattern)
    ]


def _of(place: Store, entry: Entry) -> TableFile:
    return TableFile(place, entry.name, entry.size or 0, f"{entry.changed_ns} {entry.tag}")


def _is_table(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


@lru_cache(maxsize=64)
def _place(folder: str) -> Store:
    return Store(folder)

"""The content of compressed files, up to a limit: 2 MB of gzip can hold gigabytes."""

from __future__ import annotations

import io
import lzma
import zipfile
from typing import Any

import pyarrow as pa

from configs.errors import DataError

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_HEAD, _MIB = 64, 2**20
_MOST_LAYERS = 4


class _Limited(io.RawIOBase):
    """A stream that raises ``DataError`` after ``limit`` bytes."""

    def __init__(self, stream: Any, limit: int, place: str) -> None:
        self._stream, self._left, self._limit, self._place = stream, limit, limit, place

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(min(len(buffer), self._left + 1))
        if len(data) > self._left:
            raise too_large(self._place, self._limit)
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def too_large(place: str, limit: int) -> DataError:
    """Return the error of a file that holds more than ``limit`` bytes."""
    return DataError(
        f"{place} holds more than {limit // _MIB:,} MiB when it is unpacked, which may exhaust the memory. If that is "
        "intended, unpack it, or allow more: --max-unpacked-mib, or data.reading.max_unpacked_mib in a configuration."
    )


def compression_of(head: bytes) -> str | None:
    """Return how content is compressed, by its first bytes; ``None`` if it is not."""
    return next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)


def decompressed(content: pa.NativeFile, head: bytes, limit: int, place: str) -> pa.NativeFile:
    """Return a stream of the content without gzip, bz2, xz or zstd; ``content`` is at its start.

    Reading more than ``limit`` bytes of a compressed one raises ``DataError``.
    """
    name = compression_of(head)
    if name is None:
        return content
    stream = lzma.LZMAFile(content) if name == "xz" else pa.CompressedInputStream(content, name)
    return pa.PythonFile(_Limited(stream, limit, place), "r")


def all_of(stream: pa.NativeFile) -> bytes:
    """Return the rest of a stream; ``NativeFile.read`` asks for its size, which a compressed one cannot say."""
    return b"".join(iter(lambda: stream.read(_MIB), b""))


def unpacked(data: bytes, limit: int, place: str) -> bytes:
    """Return bytes without any layers of gzip, bz2, xz and zstd; ``DataError`` if a layer holds more than ``limit``."""
    for _ in range(_MOST_LAYERS):
        if compression_of(data[:_HEAD]) is None:
            return data
        data = all_of(decompressed(pa.BufferReader(data), data[:_HEAD], limit, place))
    raise DataError(f"{place} is compressed more than {_MOST_LAYERS} times. Unpack it.")


def members(data: bytes, place: str) -> list[zipfile.ZipInfo]:
    """Return the files in a zip archive.

    Raises
    ------
    DataError
        It is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [info for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise DataError(f"{place} cannot be read (a damaged zip archive: {error}). Download it again.") from error


def member(data: bytes, name: str, limit: int, place: str) -> bytes:
    """Return the content of a file in a zip archive, decompressed; ``DataError`` if it holds more than ``limit``."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(name) as file:
        if archive.getinfo(name).file_size > limit:  # as the archive says, which may be wrong
            raise too_large(place, limit)
        content = io.BufferedReader(_Limited(file, limit, place)).read()
    return unpacked(content, limit, place)

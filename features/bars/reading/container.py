"""Containers: what a file is, by its first bytes, and the content of compressed ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from typing import Literal

import pyarrow as pa

from configs.errors import DataError

Format = Literal["parquet", "arrow", "spreadsheet", "json", "text"]
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_NAMED = {
    b"\x80\x04\x95": "a pickle, which may run code: save it with to_parquet",
    b"\x80\x05\x95": "a pickle, which may run code: save it with to_parquet",
    b"\x80\x03": "a pickle, which may run code: save it with to_parquet",
    b"\x89HDF\r\n": "an HDF5 file: save the table with to_parquet",
    b"SQLite format 3": "an SQLite database: export the table as CSV",
    b"%PDF": "a PDF: export the table as CSV",
    b"7z\xbc\xaf": "a 7-zip archive: unpack it",
    b"Rar!": "a RAR archive: unpack it",
    b"RDX": "a file of R: save the table as CSV",
    b"ORC": "an ORC file: save the table as Parquet",
    b"Obj\x01": "an Avro file: save the table as Parquet",
}
_SHEETS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")
_HEAD = 64


def format_of(head: bytes, place: str) -> Format:
    """Return what decompressed content is, by its first bytes.

    Raises
    ------
    DataError
        It is a known format that is not read.
    """
    for magic, problem in _NAMED.items():
        if head.startswith(magic):
            raise DataError(f"{place} is {problem}.")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff", b"FEA1")):
        return "arrow"
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "spreadsheet"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] in (b"{", b"["):
        return "json"
    if text[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DataError(f"{place} is a web page (HTML or XML), not a table: download the data again, or export CSV.")
    return "text"


def compression_of(head: bytes) -> str | None:
    """Return how content is compressed, by its first bytes; ``None`` if it is not."""
    return next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)


def decompressed(content: pa.NativeFile, head: bytes) -> pa.NativeFile:
    """Return a stream of the content without gzip, bz2, xz or zstd; ``content`` is at its start."""
    name = compression_of(head)
    if name is None:
        return content
    if name == "xz":
        return pa.BufferReader(lzma.decompress(content.read()))
    return pa.CompressedInputStream(content, name)


def unpacked(data: bytes) -> bytes:
    """Return bytes without any number of layers of gzip, bz2, xz and zstd."""
    while (name := compression_of(data[:_HEAD])) is not None:
        if name == "zstd":
            data = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
        else:
            data = {"gzip": gzip.decompress, "bz2": bz2.decompress, "xz": lzma.decompress}[name](data)
    return data


def members(data: bytes, place: str) -> list[str] | None:
    """Return the names of the files in a zip archive, sorted; ``None`` if it is a spreadsheet.

    Raises
    ------
    DataError
        It is damaged, encrypted or empty.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise DataError(f"{place} cannot be read (a damaged zip archive: {error}). Download it again.") from error
    names = [info.filename for info in infos if not info.filename.startswith(("__MACOSX/", "."))]
    if any(name in _SHEETS for name in names):
        return None
    if any(info.flag_bits & 1 for info in infos):
        raise DataError(f"{place} is an encrypted zip archive. Unpack it.")
    if not names:
        raise DataError(f"{place} is an empty zip archive; expected tables of bars. Check the file.")
    if all(name.lower().endswith((".zip", ".7z", ".rar", ".tar")) for name in names):
        raise DataError(f"{place} is a zip archive of archives ({names[0]!r}). Unpack it.")
    return sorted(names)


def member(data: bytes, name: str) -> bytes:
    """Return the content of a file in a zip archive, decompressed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return unpacked(archive.read(name))

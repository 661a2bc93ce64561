"""Containers: what a file is, by its first bytes, and the tables in an archive."""

from __future__ import annotations

from typing import Literal

from configs.errors import DataError
from features.bars.reading.unpacking import members, too_large

Format = Literal["parquet", "arrow", "spreadsheet", "json", "text"]
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


def names_in_archive(data: bytes, place: str, limit: int) -> list[str] | None:
    """Return the names of the files in a zip archive, sorted; ``None`` if it is a spreadsheet.

    Raises
    ------
    DataError
        It is damaged, encrypted or empty, or a spreadsheet that holds more than ``limit`` bytes.
    """
    infos = members(data, place)
    names = [info.filename for info in infos if not info.filename.startswith(("__MACOSX/", "."))]
    if any(name in _SHEETS for name in names):
        if sum(info.file_size for info in infos) > limit:
            raise too_large(place, limit)
        return None
    if any(info.flag_bits & 1 for info in infos):
        raise DataError(f"{place} is an encrypted zip archive. Unpack it.")
    if not names:
        raise DataError(f"{place} is an empty zip archive; expected tables of bars. Check the file.")
    if all(name.lower().endswith((".zip", ".7z", ".rar", ".tar")) for name in names):
        raise DataError(f"{place} is a zip archive of archives ({names[0]!r}). Unpack it.")
    return sorted(names)

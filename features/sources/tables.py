"""Reading one file of bars as data frames, whatever its container, encoding, delimiter and types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import DataError, StoreError
from configs.reading import ReadingConfig
from features.bars.columns import columns_line
from features.bars.reading.container import format_of
from features.bars.reading.encoding import decoded, encoding_of
from features.bars.reading.grids import spreadsheet_tables
from features.bars.reading.json_tables import json_table
from features.bars.reading.layout import layout_of
from features.bars.reading.names import SERIES, compact, field_of, fields_of
from features.bars.reading.unpacking import all_of, too_large, unpacked
from features.sources.table_file import TableFile
from features.sources.text_table import Probe, needs_text, parse_text
from features.store.parquet import read_parquet, to_frame

_HEAD = 1 << 16
_READ_ERRORS = (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    OSError,
    EOFError,
    UnicodeError,
    LookupError,
    pd.errors.ParserError,
    StoreError,
)
_TEXT_FIELDS = frozenset({"date", "time", "symbol"})
_MAX_RAGGED, _MIN_RAGGED = 0.1, 5
_MOST_RATIO = 50  # of prices in Parquet: their size in memory to that of the file


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table as read: ``symbol`` names it if it names none itself, ``ragged`` are its lines that do not fit."""

    frame: pd.DataFrame
    symbol: str
    delimiter: str | None = None
    lines: list[str] = field(default_factory=list)
    ragged: list[str] = field(default_factory=list)


def probe(file: TableFile, reading: ReadingConfig) -> Probe:
    """Return what a file is, from its first bytes.

    Raises
    ------
    DataError
        It is empty, or no format that is read.
    """
    place = repr(str(file))
    if file.size == 0:
        raise DataError(f"{place} is empty; expected bars (date, open, high, low, close, volume). Check the file.")
    try:
        file.check_size()
        with file.open() as content:
            head = b""
            while len(head) < _HEAD and (part := content.read(_HEAD - len(head))):
                head += part
        kind = format_of(head, place)
        if kind == "parquet":
            with file.open() as content:
                return Probe(kind, names=tuple(pq.read_schema(content).names))
        if kind != "text":
            return Probe(kind)
        encoding = encoding_of(head)
        text = decoded(head, encoding)
    except _READ_ERRORS as error:
        raise _unreadable(file, error) from error
    if "\0" in text or not text.strip():
        raise _unreadable(file, ValueError("no text"))
    if len(head) < _HEAD and not text.endswith("\n"):
        text += "\n"
    layout = layout_of(text.replace("\r\n", "\n").replace("\r", "\n"), place, reading)
    names = () if layout.levels else tuple(layout.names)
    return Probe(kind, layout, encoding, names)


def symbols_in(file: TableFile, probed: Probe) -> set[str] | None:
    """Return the symbols in a file's symbol column, without reading the others; ``None`` if it has no such column."""
    column = probed.symbol_column
    if column is None:
        return None
    try:
        with file.open() as content:
            if probed.format == "parquet":
                table = read_parquet(content, [column])
            else:
                table = parse_text(content, probed, [column], frozenset(), [])
    except _READ_ERRORS as error:
        raise _unreadable(file, error) from error
    return set(pc.unique(pc.utf8_trim_whitespace(table[column].cast(pa.string()))).to_pylist()) - {None}


def read_tables(
    file: TableFile, probed: Probe, symbols: Sequence[str] = (), reading: ReadingConfig | None = None
) -> list[RawTable]:
    """Return a file's tables; if ``symbols`` are given and a table has a symbol column, only their rows.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    reading, place = reading or ReadingConfig(), repr(str(file))
    try:
        if probed.format == "text":
            return [_text(file, probed, symbols, reading)]
        if probed.format == "parquet":
            return [_parquet(file, probed, symbols)]
        with file.open() as content:
            data = unpacked(all_of(content), file.limit, place)
        if probed.format == "arrow":
            return [RawTable(_rows_of(_arrow(data), symbols), file.stem)]
        if probed.format == "json":
            return [RawTable(json_table(data, place, reading), file.stem)]
        tables = spreadsheet_tables(data, place, reading)
    except _READ_ERRORS as error:
        raise _unreadable(file, error) from error
    return [RawTable(frame, file.stem if len(tables) == 1 else sheet) for sheet, frame in tables.items()]


def _arrow(data: bytes) -> pa.Table:
    source = pa.BufferReader(data)
    if data.startswith(b"ARROW1"):
        return pa.ipc.open_file(source).read_all()
    if data.startswith(b"FEA1"):
        from pyarrow import feather

        return feather.read_table(source, use_threads=False)
    return pa.ipc.open_stream(source).read_all()


def _parquet(file: TableFile, probed: Probe, symbols: Sequence[str]) -> RawTable:
    names, column = probed.names, probed.symbol_column
    known = [name for name in names if field_of(name) is not None or compact(name) in SERIES | {"rtype"}]
    with file.open() as content:
        rows = pq.read_metadata(content).num_rows
        if rows * 8 * len(names) > max(file.limit, _MOST_RATIO * file.size):  # a column of one value is a few bytes
            raise too_large(repr(str(file)), file.limit)
        content.seek(0)
        if column is None or any(name.startswith("(") for name in names):
            return RawTable(to_frame(read_parquet(content, use_pandas_metadata=True)), file.stem)
        frame = _rows_of(read_parquet(content, known, use_pandas_metadata=True), symbols)
    return RawTable(frame, file.stem, lines=_unread(names, known))


def _unread(names: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """Return the line that names the columns that are not read."""
    unread = [name for name in names if wanted is not None and name not in wanted and not name.startswith("__")]
    return [columns_line(unread, "not read")] if unread else []


def _rows_of(table: pa.Table, symbols: Sequence[str]) -> pd.DataFrame:
    column = Probe("arrow", names=tuple(table.column_names)).symbol_column
    if symbols and column is not None:
        wanted = pa.array(list(symbols), pa.string())
        table = table.filter(pc.is_in(pc.utf8_trim_whitespace(table[column].cast(pa.string())), value_set=wanted))
    return to_frame(table)


def _text(file: TableFile, probed: Probe, symbols: Sequence[str], reading: ReadingConfig) -> RawTable:
    layout = probed.layout
    assert layout is not None
    found = fields_of(layout.names)
    fields = {name: rank[0] for name, rank in zip(layout.names, found, strict=True) if rank is not None}
    fields |= {column: name for name, column in reading.columns.items()}
    numbers = frozenset(name for name, known in fields.items() if known not in _TEXT_FIELDS)
    if not {"close", "adj_close"} & set(fields.values()):  # a matrix of closes, or two header rows
        numbers = frozenset(name for i, name in enumerate(layout.names) if i and fields.get(name) not in _TEXT_FIELDS)
    wanted = None
    if probed.symbol_column is not None and reading.is_default:
        wanted = [n for n in layout.names if n in fields or compact(n) in SERIES | {"rtype"}]
    ragged: list[str] = []
    try:
        with file.open() as content:
            table = parse_text(content, probed, wanted, numbers, ragged)
        again = needs_text(table, frozenset(n for n in numbers if fields.get(n) != "splits"), layout.delimiter)
    except pa.ArrowInvalid:  # the type changes below the rows from which it was inferred
        again = True
    if again:
        ragged.clear()
        with file.open() as content:
            table = parse_text(content, probed, wanted, frozenset(), ragged)
    count = table.num_rows + len(ragged)
    if len(ragged) >= _MIN_RAGGED and len(ragged) > _MAX_RAGGED * count:
        raise DataError(
            f"{str(file)!r} cannot be read ({len(ragged)} of {count} rows have more or fewer than {len(layout.names)} "
            f"cells, first: {ragged[0][:60]!r}). Correct them."
        )
    frame = _rows_of(table, symbols)
    if layout.levels is not None:
        frame = frame.set_axis(pd.MultiIndex.from_tuples(layout.levels), axis=1)
    lines = [*layout.lines, *([f"encoding: {probed.encoding}"] if not probed.encoding.startswith("utf-8") else [])]
    return RawTable(frame, file.stem, layout.delimiter, [*lines, *_unread(layout.names, wanted)], ragged)


def _unreadable(file: TableFile, error: Exception) -> DataError:
    cause = error.__cause__ if isinstance(error, StoreError) and error.__cause__ else error
    reason = " ".join(str(cause).split())[:160].rstrip(".")
    return DataError(
        f"{str(file)!r} cannot be read ({reason}); expected CSV text, Parquet or another table. Check the path and the "
        "file."
    )

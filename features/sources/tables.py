"""Reading one CSV or Parquet file of bars as a data frame, with any delimiter and types."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from configs.errors import DataError, StoreError
from features.bars.reading.names import field_of
from features.sources.table_file import TableFile
from features.store.parquet import read_parquet, to_frame

_SERIAL = pacsv.ReadOptions(use_threads=False)  # as :mod:`features.store.parquet` says
_READ_ERRORS = (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    OSError,
    EOFError,
    UnicodeDecodeError,
    pd.errors.ParserError,
    StoreError,
)


def names_symbols(file: TableFile) -> bool:
    """Whether the file names its symbols, from its header or schema only."""
    try:
        if file.is_parquet:
            with file.open() as content:
                columns = pq.read_schema(content).names
        else:
            first, second, delimiter = _head(file)
            if _is_two_level(first, second, delimiter):
                return True
            columns = next(csv.reader([first], delimiter=delimiter), [])
    except _READ_ERRORS as error:
        raise _unreadable(file, error) from error
    return any(field_of(name) == "symbol" or str(name).startswith("(") for name in columns)


def symbols_in(file: TableFile) -> set[str] | None:
    """Return the symbols in a file's symbol column, without reading the others; ``None`` if it has no such column."""
    try:
        with file.open() as content:
            if file.is_parquet:
                columns = [n for n in pq.read_schema(content).names if field_of(n) == "symbol"]
                table = read_parquet(content, columns) if columns else None
            else:
                first, second, delimiter = _head(file)
                header = next(csv.reader([first], delimiter=delimiter), [])
                columns = [n for n in header if field_of(n) == "symbol"]
                if not columns or _is_two_level(first, second, delimiter):
                    return None
                options = pacsv.ConvertOptions(
                    include_columns=columns, column_types=dict.fromkeys(columns, pa.string())
                )
                parsing = pacsv.ParseOptions(delimiter=delimiter)
                table = pacsv.read_csv(content, read_options=_SERIAL, parse_options=parsing, convert_options=options)
    except _READ_ERRORS as error:
        raise _unreadable(file, error) from error
    if table is None:
        return None
    return set(pc.unique(pc.utf8_trim_whitespace(table[columns[0]].cast(pa.string()))).to_pylist()) - {None}


def read_table(file: TableFile, symbols: Sequence[str] = ()) -> pd.DataFrame:
    """Return a file's rows; if ``symbols`` are given and the file has a symbol column, only their rows.

    Raises
    ------
    DataError
        The file is empty, or is neither text in UTF-8 nor Parquet.
    """
    try:
        if file.size == 0:
            raise DataError(
                f"{str(file)!r} is empty; expected bars (date, open, high, low, close, volume). Check the file."
            )
        return _parquet(file, symbols) if file.is_parquet else _csv(file, symbols)
    except _READ_ERRORS as error:
        raise _unreadable(file, error) from error


def _parquet(file: TableFile, symbols: Sequence[str]) -> pd.DataFrame:
    with file.open() as content:
        names = pq.read_schema(content).names
        if any(name.startswith("(") for name in names):
            return to_frame(read_parquet(content))
        columns = [name for name in names if field_of(name) is not None]
        return _rows_of(read_parquet(content, columns or None, use_pandas_metadata=True), symbols)


def _rows_of(table: pa.Table, symbols: Sequence[str]) -> pd.DataFrame:
    column = next((name for name in table.column_names if field_of(name) == "symbol"), None)
    if symbols and column is not None:
        wanted = pa.array(list(symbols), pa.string())
        table = table.filter(pc.is_in(pc.utf8_trim_whitespace(table[column].cast(pa.string())), value_set=wanted))
    return to_frame(table)


def _csv(file: TableFile, symbols: Sequence[str]) -> pd.DataFrame:
    first, second, delimiter = _head(file)
    if _is_two_level(first, second, delimiter):
        with file.open() as content:
            return pd.read_csv(content, header=[0, 1], index_col=0, sep=delimiter, dtype=str)
    header = next(csv.reader([first], delimiter=delimiter), [])
    # Tickers such as NA, TRUE and 000001 must not be read as a missing value, a boolean or a number.
    text = {name: pa.string() for name in header if field_of(name) == "symbol"}
    parsing = pacsv.ParseOptions(delimiter=delimiter)
    try:
        with file.open() as content:
            table = pacsv.read_csv(
                content,
                read_options=_SERIAL,
                parse_options=parsing,
                convert_options=pacsv.ConvertOptions(column_types=text),
            )
    except pa.ArrowInvalid:
        # The type changes below the rows from which it was inferred: read text, which is parsed later.
        everything = pacsv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False)
        with file.open() as content:
            table = pacsv.read_csv(content, read_options=_SERIAL, parse_options=parsing, convert_options=everything)
    return _rows_of(table, symbols)


def _head(file: TableFile) -> tuple[str, str, str]:
    text = b""
    with file.open() as content:
        while text.count(b"\n") < 2 and len(text) < 1 << 20 and (part := content.read(1 << 13)):
            text += part
    lines = [line.decode("utf-8-sig").strip("\r") for line in text.split(b"\n", 2)[:2]]
    first, second = (*lines, "")[:2]
    delimiter = max(",;\t|", key=first.count)
    return first, second, delimiter


def _is_two_level(first: str, second: str, delimiter: str) -> bool:
    """Whether the file is yfinance's frame as written by ``to_csv``: rows ``Price,Close,…`` and ``Ticker,AAPL,…``."""
    labels = {first.split(delimiter)[0].strip().lower(), second.split(delimiter)[0].strip().lower()}
    return labels == {"price", "ticker"}


def _unreadable(file: TableFile, error: Exception) -> DataError:
    cause = error.__cause__ if isinstance(error, StoreError) and error.__cause__ else error
    reason = " ".join(str(cause).split())[:160].rstrip(".")
    return DataError(
        f"{str(file)!r} cannot be read ({reason}); expected UTF-8 CSV text or Parquet. Check the path and the file."
    )

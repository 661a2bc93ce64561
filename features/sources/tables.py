"""One CSV or Parquet file of bars as a data frame, whatever its delimiter and types."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from configs.errors import DataError
from features.columns import field_of

SUFFIXES = (".csv", ".csv.gz", ".txt", ".txt.gz", ".parquet")
_PROBLEMS = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, EOFError, UnicodeDecodeError, pd.errors.ParserError)


def stem(path: Path) -> str:
    """Return the file's name without its suffix: the symbol that a file without a symbol column holds."""
    name = path.name
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if name.lower().endswith(s)), path.suffix)
    return name[: len(name) - len(suffix)] if suffix else name


def names_symbols(path: Path) -> bool:
    """Whether the file itself says which symbols it holds, from its header or schema alone."""
    try:
        if path.suffix.lower() == ".parquet":
            columns = pq.read_schema(path).names
        else:
            first, second, delimiter = _head(path)
            if _is_two_level(first, second, delimiter):
                return True
            columns = next(csv.reader([first], delimiter=delimiter), [])
    except _PROBLEMS as error:
        raise _unreadable(path, error) from error
    return any(field_of(name) == "symbol" or str(name).startswith("(") for name in columns)


def read_table(path: Path, symbols: Sequence[str] = ()) -> pd.DataFrame:
    """Return a file's rows; of a file with a symbol column only these symbols, if any are named.

    Raises
    ------
    DataError
        The file is empty, or is neither readable text in UTF-8 nor Parquet.
    """
    try:
        if path.stat().st_size == 0:
            raise DataError(
                f"{str(path)!r} is empty; expected bars (date, open, high, low, close, volume). Check the file."
            )
        return _parquet(path, symbols) if path.suffix.lower() == ".parquet" else _csv(path, symbols)
    except _PROBLEMS as error:
        raise _unreadable(path, error) from error


def _parquet(path: Path, symbols: Sequence[str]) -> pd.DataFrame:
    schema = pq.read_schema(path)
    if any(name.startswith("(") for name in schema.names):
        frame: pd.DataFrame = pq.read_table(path).to_pandas()
        return frame
    columns = [name for name in schema.names if field_of(name) is not None]
    table = pq.read_table(path, columns=columns or None, use_pandas_metadata=True)
    return _to_frame(table, symbols)


def _to_frame(table: pa.Table, symbols: Sequence[str]) -> pd.DataFrame:
    column = next((name for name in table.column_names if field_of(name) == "symbol"), None)
    if symbols and column is not None:
        wanted = pa.array(list(symbols), pa.string())
        table = table.filter(pc.is_in(pc.utf8_trim_whitespace(table[column].cast(pa.string())), value_set=wanted))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _csv(path: Path, symbols: Sequence[str]) -> pd.DataFrame:
    first, second, delimiter = _head(path)
    if _is_two_level(first, second, delimiter):
        return pd.read_csv(path, header=[0, 1], index_col=0, sep=delimiter, dtype=str)
    header = next(csv.reader([first], delimiter=delimiter), [])
    # Tickers such as NA, TRUE and 000001 are names, not a missing value, a truth or a number.
    text = {name: pa.string() for name in header if field_of(name) == "symbol"}
    parsing = pacsv.ParseOptions(delimiter=delimiter)
    try:
        table = pacsv.read_csv(path, parse_options=parsing, convert_options=pacsv.ConvertOptions(column_types=text))
    except pa.ArrowInvalid:
        # A type that changes below the rows it was guessed from: read everything as text and parse it ourselves.
        everything = pacsv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False)
        table = pacsv.read_csv(path, parse_options=parsing, convert_options=everything)
    return _to_frame(table, symbols)


def _head(path: Path) -> tuple[str, str, str]:
    with _opened(path) as handle:
        first, second = handle.readline(1 << 20).strip("\r\n"), handle.readline(1 << 20).strip("\r\n")
    delimiter = max(",;\t|", key=first.count)
    return first, second, delimiter


def _opened(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def _is_two_level(first: str, second: str, delimiter: str) -> bool:
    """Whether the file is yfinance's frame as ``to_csv`` writes it: rows ``Price,Close,…`` and ``Ticker,AAPL,…``."""
    heads = {first.split(delimiter)[0].strip().lower(), second.split(delimiter)[0].strip().lower()}
    return heads == {"price", "ticker"}


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:160].rstrip(".")
    return DataError(
        f"{str(path)!r} cannot be read ({reason}); expected UTF-8 CSV text or Parquet. Check the path and the file."
    )

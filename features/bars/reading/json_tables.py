"""Tables in JSON: rows, records, columns, or a mapping by date, wherever in the document the table is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from configs.errors import DataError
from configs.reading import ReadingConfig
from configs.safe_json import parse_json
from features.bars.reading.grids import grid_table
from features.bars.reading.names import field_of, fields_of

_DEPTH = 6
_LONGEST_SYMBOL = 30
_STATUS = frozenset({"0", "200", "200000"})  # what services answer as "code" when all is well
_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """A table, the number of fields that it names, its place in the document, and the symbol that is named there."""

    fields: int
    frame: pd.DataFrame
    path: _Path
    symbol: str | None = None


def json_table(data: bytes, place: str, reading: ReadingConfig | None = None) -> pd.DataFrame:
    """Return the table of a JSON document; the columns of rows without names are found by position.

    Tables at like places (one per symbol) are joined; each has the symbol that is named next to it, else its key.

    Raises
    ------
    DataError
        It is no JSON, or has no table, or has several and does not say of which symbols.
    """
    try:
        text = data.decode("utf-8-sig")
        try:
            document = parse_json(text)
        except ValueError:
            document = [parse_json(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise DataError(
            f"{place} cannot be read (no valid JSON: {error}); expected rows or records of bars."
        ) from error
    found = list(_tables(document, (), None))
    if not found:
        raise DataError(f"{place} has no table of bars; expected JSON rows, records or columns. Check the file.")
    best = max(found, key=lambda table: (table.fields, len(table.frame)))
    alike = [table for table in found if table.path != best.path and _alike(table, best)]
    if (closes := next((table for table in (best, *alike) if _is_close(table)), None)) is not None:
        best, alike = closes, []
    tables = [replace(table, frame=_with_names(table.frame, place, reading)) for table in (best, *alike)]
    if alike:
        return _joined(tables, place)
    return tables[0].frame if best.symbol is None else _with_symbol(tables[0].frame, best.symbol)


def _with_names(frame: pd.DataFrame, place: str, reading: ReadingConfig | None) -> pd.DataFrame:
    numbered = all(isinstance(name, int) for name in frame.columns)
    return grid_table(frame, place, reading) if numbered else frame


def _tables(node: Any, path: _Path, symbol: str | None) -> Iterator[_Table]:
    """Yield the tables of a document."""
    if len(path) > _DEPTH:
        return
    if isinstance(node, list):
        if node and all(isinstance(row, list) and len(row) > 1 for row in node) and not _nested(node[0][:1]):
            frame = pd.DataFrame(node, dtype=object)
            yield _Table(int(len(frame.columns) > 2), frame, path, symbol)
            return
        if node and all(isinstance(row, dict) for row in node):
            flat = any(_nested(row.values()) for row in node[:50])
            yield from _named(pd.json_normalize(node, max_level=1) if flat else pd.DataFrame(node), path, symbol)
        for k, item in enumerate(node):
            if _nested([item]) and _nested(item.values() if isinstance(item, dict) else item):
                yield from _tables(item, (*path, k), symbol)
    elif isinstance(node, dict):
        symbol = _symbol_in(node) or symbol
        yield from _of_columns(node, path, symbol)
        for key, value in node.items():
            if isinstance(value, (list, dict)):
                yield from _tables(value, (*path, key), symbol)


def _of_columns(node: dict[str, Any], path: _Path, symbol: str | None) -> Iterator[_Table]:
    if {"columns", "data"} <= set(node) and isinstance(node["columns"], list):
        frame = pd.DataFrame(node["data"], columns=node["columns"], index=node.get("index"))
        yield from _named(frame, path, symbol)
    lists = {key: value for key, value in node.items() if _is_column(value)}
    dates = next((key for key in lists if field_of(key) == "date"), None)
    if dates is not None and not {"close", "adj_close"} & {field_of(key) for key in lists}:
        lists = dict(_columns_below(node, len(lists[dates]))) | {dates: lists[dates]}
    lengths = [len(value) for value in lists.values()]
    if len(lists) > 1:
        length = max(set(lengths), key=lengths.count)
        yield from _named(pd.DataFrame({k: v for k, v in lists.items() if len(v) == length}), path, symbol)
    values = list(node.values())
    if len(values) > 1 and all(isinstance(value, dict) for value in values):
        for frame in (pd.DataFrame.from_dict(node, orient="index"), pd.DataFrame(node)):
            has_date = "date" in {field_of(name) for name in frame.columns}
            yield from _named(frame if has_date else frame.rename_axis("date").reset_index(), path, symbol)


def _columns_below(node: Any, length: int, depth: int = 4) -> Iterator[tuple[str, list[Any]]]:
    """Yield the lists of values of this length in nested objects: the dates may be one level above the prices."""
    for value in node if isinstance(node, list) else node.values():
        if isinstance(value, dict):
            yield from ((k, v) for k, v in value.items() if _is_column(v) and len(v) == length)
        if depth and isinstance(value, (list, dict)) and not _is_column(value):
            yield from _columns_below(value, length, depth - 1)


def _named(frame: pd.DataFrame, path: _Path, symbol: str | None) -> Iterator[_Table]:
    names = [str(name) for name in frame.columns]
    fields = {found[0] for found in fields_of(names) if found is not None}
    if not {"close", "adj_close"} & fields or len(frame) == 0:
        return
    frame = frame.set_axis(names, axis=1)
    frame = frame[[name for name in names if not _nested(frame[name].iloc[:50])]]
    yield _Table(len(fields) + 1, frame, path, None if "symbol" in fields else symbol)


def _symbol_in(node: Mapping[str, Any]) -> str | None:
    """Return the symbol that an object, or a flat object in it such as ``meta``, names."""
    flat = [value for value in node.values() if isinstance(value, dict) and not _nested(value.values())]
    for place in (node, *(flat if len(flat) == 1 else [])):
        for key, value in place.items():
            known = isinstance(value, str) and field_of(key) == "symbol" and 0 < len(value) < _LONGEST_SYMBOL
            if known and not (key == "code" and value in _STATUS):
                return str(value)
    return None


def _alike(table: _Table, best: _Table) -> bool:
    """Whether two tables have the same columns, at places that differ in one key."""
    differ = [a != b for a, b in zip(table.path, best.path, strict=False)]
    same = list(table.frame.columns) == list(best.frame.columns) or table.fields == best.fields > 1
    return len(table.path) == len(best.path) and sum(differ) == 1 and same


def _is_close(table: _Table) -> bool:
    """Whether the key of a table of pairs names prices: ``{"prices": [[time, price], …], "market_caps": …}``."""
    key = str(table.path[-1]) if table.path else ""
    return [str(name) for name in table.frame.columns] == ["0", "1"] and field_of(key.removesuffix("s")) == "close"


def _joined(tables: list[_Table], place: str) -> pd.DataFrame:
    """Return tables as one with a symbol column."""
    if any("symbol" in _fields(table.frame) for table in tables):
        return pd.concat([table.frame for table in tables], ignore_index=True)
    if any(table.symbol is None for table in tables) or len({table.symbol for table in tables}) < len(tables):
        first, second = tables[0].path, tables[1].path
        position = next(k for k in range(len(first)) if first[k] != second[k])
        tables = [replace(table, symbol=str(table.path[position])) for table in tables]
        if isinstance(first[position], int):
            raise DataError(f"{place} has {len(tables)} tables without symbols. Name them, such as by a key 'symbol'.")
    frames = [_with_symbol(table.frame, str(table.symbol)) for table in tables]
    indexed = not isinstance(frames[0].index, pd.RangeIndex)
    return pd.concat([frame.rename_axis("date").reset_index() if indexed else frame for frame in frames])


def _with_symbol(frame: pd.DataFrame, symbol: str) -> pd.DataFrame:
    return frame.assign(symbol=symbol)


def _fields(frame: pd.DataFrame) -> set[str | None]:
    return {field_of(name) for name in frame.columns}


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and not _nested(value[:1])


def _nested(values: Any) -> bool:
    return any(isinstance(value, (list, dict)) for value in values)

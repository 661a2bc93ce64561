"""Tables in JSON: rows, records, columns, or a mapping by date, wherever in the document the table is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from configs.errors import DataError
from configs.safe_json import parse_json
from features.bars.reading.names import field_of, fields_of

_Table = tuple[int, pd.DataFrame]


def json_table(data: bytes, place: str) -> pd.DataFrame:
    """Return the table of a JSON document; rows without names have the columns 0, 1, 2 and so on.

    Raises
    ------
    DataError
        It is no JSON, or has no table.
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
    found = max(_tables(document, {}), key=lambda item: (item[0], len(item[1])), default=None)
    if found is None:
        raise DataError(f"{place} has no table of bars; expected JSON rows, records or columns. Check the file.")
    return found[1]


def _tables(node: Any, labels: dict[str, str], depth: int = 0) -> Iterator[_Table]:
    """Yield the tables of a document, each with the number of fields that it names."""
    if depth > 6:
        return
    if isinstance(node, list):
        if (
            node
            and all(isinstance(row, list) and len(row) > 1 for row in node)
            and not isinstance(node[0][0], (list, dict))
        ):
            frame = pd.DataFrame(node, dtype=object)
            yield len(frame.columns) > 2, frame
        elif node and all(isinstance(row, dict) for row in node):
            frame = pd.DataFrame(node)
            yield from _named(frame, labels)
            for row in node[:50]:
                yield from _tables(row, labels, depth + 1)
        else:
            for item in node[:50]:
                yield from _tables(item, labels, depth + 1)
    elif isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, str) and field_of(key) == "symbol" and len(value) < 30:
                labels = labels | {"symbol": value}
        if {"columns", "data"} <= set(node) and isinstance(node["columns"], list):
            frame = pd.DataFrame(node["data"], columns=node["columns"], index=node.get("index"))
            yield from _named(frame, labels)
        values = list(node.values())
        lists = {k: v for k, v in node.items() if isinstance(v, list) and v and not isinstance(v[0], (list, dict))}
        lengths = [len(v) for v in lists.values()]
        if len(lists) > 1:
            length = max(set(lengths), key=lengths.count)
            yield from _named(pd.DataFrame({k: v for k, v in lists.items() if len(v) == length}), labels)
        if len(values) > 1 and all(isinstance(v, dict) for v in values):
            by_row = pd.DataFrame.from_dict(node, orient="index")
            by_column = pd.DataFrame(node)
            for frame in (by_row, by_column):
                yield from _named(frame.rename_axis("date").reset_index(), labels)
        for value in values:
            if isinstance(value, (list, dict)):
                yield from _tables(value, labels, depth + 1)


def _named(frame: pd.DataFrame, labels: dict[str, str]) -> Iterator[_Table]:
    names = [str(name) for name in frame.columns]
    fields = {found[0] for found in fields_of(names) if found is not None}
    if not {"close", "adj_close"} & fields or len(frame) == 0:
        return
    if "symbol" in labels and "symbol" not in fields:
        frame = frame.assign(symbol=labels["symbol"])
    yield len(fields) + 1, frame.set_axis([str(name) for name in frame.columns], axis=1)

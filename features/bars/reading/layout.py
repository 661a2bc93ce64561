"""The layout of a text: its delimiter, the lines before the table, and the header, found in the first lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pandas as pd

from configs.errors import DataError
from configs.reading import ReadingConfig
from configs.words import counted
from features.bars.reading.names import field_of, fields_of
from features.bars.reading.positions import is_date, is_number, names_by_position

_DELIMITERS = ",;\t|"
_MAX_LINES = 400
_HEADER_LINES = 60
_SURE = 5  # fields: no other line or delimiter gives more than date, open, high, low and close
_UNITS = frozenset("usd eur gbp gbx gbp chf jpy cny hkd inr krw usdt btc % shares pcs units stk $ € £".split())


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text is laid out: ``skip`` lines come before the first row; ``names`` has one name per column.

    ``levels`` are the two names of each column of a header of two rows.
    """

    delimiter: str
    skip: int
    names: list[str]
    levels: list[tuple[str, str]] | None = None
    lines: list[str] = field(default_factory=list)

    def without_first(self) -> Layout:
        """Return the layout of the text without its first line."""
        return replace(self, skip=self.skip - 1)


def layout_of(text: str, place: str, reading: ReadingConfig | None = None) -> Layout:
    """Return the layout of a text from its first lines (the last one may be cut off).

    Raises
    ------
    DataError
        There is no header, and the columns have no known order; or a field is given twice.
    """
    reading = reading or ReadingConfig()
    lines = text.split("\n")
    lines = [line.rstrip("\r") for line in (lines[:-1] if len(lines) > 2 else lines)[:_MAX_LINES]]
    given = re.fullmatch(r'"?sep=(.)"?', lines[0].strip("\ufeff ")) if lines else None
    extra = {name.strip().casefold() for name in (*reading.columns.values(), reading.symbol_column or "") if name}
    best: tuple[int, int, int, str] | None = None
    marks = [given[1]] if given else sorted(_DELIMITERS, key=lambda mark: -sum(line.count(mark) for line in lines[:5]))
    for delimiter in marks:
        for i, row in enumerate(_rows(lines[:_HEADER_LINES], delimiter)):
            score = _score(row, extra)
            if score and (best is None or (score, len(row)) > best[:2]):
                best = score, len(row), i, delimiter
            if score >= _SURE:
                break
        if best is not None and best[0] >= _SURE:
            break
    if best is not None:
        rows = list(_rows(lines[: best[2] + _HEADER_LINES], best[3]))
        if best[0] >= 2 or _heads_numbers(rows, best[2]):
            return _with_header(rows, best[2], best[3], place)
    return _without_header(lines, given[1] if given else None, place, reading)


def _rows(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    """Yield the cells of each line; a line of its own, so that a stray quotation mark costs one line."""
    for line in lines:
        yield next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _score(row: list[str], extra: set[str]) -> int:
    """Return how many different fields the cells of a row name."""
    if any(is_date(cell) for cell in row):
        return 0
    found = {f[0] for f in fields_of(row) if f is not None}
    return max(len(found), sum(cell.strip().casefold() in extra for cell in row) if extra else 0)


def _heads_numbers(rows: list[list[str]], i: int) -> bool:
    """Whether a row names a date column, and dates and numbers follow: a matrix of closes."""
    following = [row for row in rows[i + 1 :] if any(cell.strip() for cell in row)][:5]
    return (
        len(rows[i]) > 1
        and all(len(row) > 1 and any(is_date(c) for c in row[:2]) for row in following)
        and bool(following)
    )


def _with_header(rows: list[list[str]], i: int, delimiter: str, place: str) -> Layout:
    names, skip, levels = [cell.strip() for cell in rows[i]], i + 1, None
    below = [cell.strip() for cell in rows[i + 1]] if i + 1 < len(rows) else []
    known = [name for name in names[1:] if field_of(name) is not None]
    labels = {names[0].lower(), below[0].lower() if below else ""} == {"price", "ticker"}
    repeated = len(known) > len(set(known)) and len(known) >= len(names) - 2
    if labels or repeated or (not names[0] and _are_labels(below)):
        above = [cell.strip() for cell in rows[i - 1]] if i else []
        if _are_labels(below) and not set(map(str.lower, below[1:])) <= _UNITS:
            levels, skip = list(zip(names, _filled(below), strict=False)), i + 2
        elif _are_labels(above, blanks=True):
            levels = list(zip(names, _filled(above), strict=False))
    elif _are_labels(below) and set(map(str.lower, filter(None, below[1:]))) <= _UNITS:
        skip = i + 2
    if skip < len(rows) and levels is not None:
        row = [cell.strip() for cell in rows[skip]]
        if row and field_of(row[0]) == "date" and not any(row[1:]):
            skip += 1
    if levels is not None:
        levels = [("date", "") if k == 0 else pair for k, pair in enumerate(levels)]
        return Layout(delimiter, skip, [f"{k}" for k in range(len(levels))], levels)
    names = _widened(names, rows[skip:], place)
    notes = [f"{counted(i, 'line')} before the header skipped"] if any("".join(row).strip() for row in rows[:i]) else []
    return Layout(delimiter, skip, _distinct(names, place), None, notes)


def _are_labels(row: list[str], *, blanks: bool = False) -> bool:
    """Whether the cells after the first are texts."""
    cells = row[1:]
    return (
        bool(cells)
        and any(cells)
        and (blanks or all(cells))
        and not any(is_number(c) or is_date(c) for c in cells if c)
    )


def _filled(row: list[str]) -> list[str]:
    """Return a row in which merged cells, blank after the first, have its text."""
    out, last = [], ""
    for k, cell in enumerate(row):
        last = cell or (last if k else "")
        out.append(last)
    return out


def _widened(names: list[str], rows: list[list[str]], place: str) -> list[str]:
    """Return one name per column of the rows below a header that has fewer or more cells."""
    widths = Counter(len(row) for row in rows[:50] if any(row))
    width = widths.most_common(1)[0][0] if widths else len(names)
    if width == len(names) or not widths:
        return names
    if width < len(names) and not any(names[width:]):
        return names[:width]
    if width == len(names) + 1:
        trailing = all(not row[-1].strip() for row in rows[:50] if len(row) == width)
        return [*names, ""] if trailing else ["", *names]
    if width > len(names) and all(not any(row[len(names) :]) for row in rows[:50] if len(row) == width):
        return [*names, *[""] * (width - len(names))]
    raise DataError(
        f"{place} cannot be read (its header has {len(names)} cells, its rows have {width}); expected as many. "
        "Correct it."
    )


def _distinct(names: list[str], place: str) -> list[str]:
    if len(set(names)) == len(names):
        return names
    out: list[str] = []
    for name in names:
        if name in out and field_of(name) is not None and len(name) > 1:
            raise DataError(
                f"{place} has column {field_of(name)!r} twice ({name!r} and {name!r}); expected it once. "
                "Remove or rename one."
            )
        count = sum(other == name or re.fullmatch(re.escape(name) + r" \(\d+\)", other) is not None for other in out)
        out.append(f"{name} ({count + 1})" if name in out else name)
    return out


def _without_header(lines: list[str], delimiter: str | None, place: str, reading: ReadingConfig) -> Layout:
    def fitness(mark: str) -> tuple[int, int]:
        rows = list(_rows(lines, mark))
        good = [row for row in rows if any(is_date(cell) for cell in row[:3]) and any(map(is_number, row[1:]))]
        return len(good), sum(is_number(cell) or is_date(cell) for row in good for cell in row)

    chosen = delimiter or max(_DELIMITERS, key=fitness)
    rows = list(_rows(lines, chosen))
    data = [k for k, row in enumerate(rows) if any(is_date(c) for c in row[:3]) and any(map(is_number, row[1:]))]
    first = data[0] if data else None
    if first is None or first > _HEADER_LINES:
        if not any(len(row) > 1 for row in rows):
            shown = (lines[0] if lines else "")[:60]
            raise DataError(
                f"{place} cannot be read (no delimited columns; first line: {shown!r}); expected CSV text, Parquet or "
                "another table. Check the file."
            )
        head = next((k for k, row in enumerate(rows) if len(row) > 1), 0)
        return _with_header(rows, head, chosen, place)
    above = rows[first - 1] if first > (delimiter is not None) else []  # a line before that gives the delimiter
    if len(above) == len(rows[first]) and any(cell.strip() for cell in above):
        return _with_header(rows, first - 1, chosen, place)
    width = len(rows[first])
    sample = pd.DataFrame([rows[k] for k in data if len(rows[k]) == width], dtype=str)
    numbered = [str(k + 1) for k in range(width)]
    names = numbered if reading.columns else names_by_position(sample, place)
    order = ", ".join(name for name in names if not name.isdigit())
    return Layout(chosen, first, names, None, [f"no header line; columns by position: {order or 'as given'}"])

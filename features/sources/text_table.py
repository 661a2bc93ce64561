"""Parsing a text with a known layout by Arrow, and what the first bytes of a file say about it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from features.bars.reading.container import Format
from features.bars.reading.layout import Layout
from features.bars.reading.names import fields_of


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file's first bytes say: its format, and the layout of a text or the column names of Parquet."""

    format: Format
    layout: Layout | None = None
    encoding: str = "utf-8"
    names: tuple[str, ...] = ()

    @property
    def symbol_column(self) -> str | None:
        """The column that names the instrument, if it is known in advance."""
        found = fields_of(list(self.names))
        ranks = [(rank[1], i) for i, rank in enumerate(found) if rank is not None and rank[0] == "symbol"]
        return self.names[min(ranks)[1]] if ranks else None


def parse_text(
    content: pa.NativeFile, probed: Probe, wanted: list[str] | None, numbers: frozenset[str], ragged: list[str]
) -> pa.Table:
    """Return the columns of a text; those in ``numbers`` have the type that fits, the others are text.

    Dates, and tickers such as NA, TRUE and 000001, must not be read as another type. Lines with another number of cells
    are added to ``ragged``.
    """
    layout = probed.layout
    assert layout is not None

    def left_out(row: pacsv.InvalidRow) -> str:
        ragged.append(row.text)
        return "skip"

    utf8 = probed.encoding.startswith("utf-8")
    return pacsv.read_csv(
        content,
        # Serial as :mod:`features.store.parquet` says.
        read_options=pacsv.ReadOptions(
            use_threads=False,
            skip_rows=layout.skip,
            column_names=layout.names,
            encoding="utf8" if utf8 else probed.encoding,
        ),
        parse_options=pacsv.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=left_out),
        convert_options=pacsv.ConvertOptions(
            include_columns=wanted,
            column_types={name: pa.string() for name in layout.names if name not in numbers},
            strings_can_be_null=False,
        ),
    )


def needs_text(table: pa.Table, numbers: frozenset[str], delimiter: str) -> bool:
    """Whether numbers must be read as text, because a comma or a point in them has two meanings."""
    for name in numbers & set(table.column_names):
        kind = table[name].type
        if pa.types.is_string(kind):
            if pc.any(pc.match_substring_regex(table[name], r",|\..*\.")).as_py():
                return True
        elif pa.types.is_floating(kind):
            if delimiter != ",":
                thousand = pc.multiply(table[name], 1000.0)
                off = pc.greater(pc.abs(pc.subtract(thousand, pc.round(thousand))), 1e-6)
                if not pc.any(off).as_py():
                    return True
        elif not (pa.types.is_integer(kind) or pa.types.is_null(kind)):
            return True
    return False

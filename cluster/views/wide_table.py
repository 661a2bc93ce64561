"""A table that is never truncated: columns that do not fit the terminal follow in further tables below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_GAP = 2  # between columns


class WideTable:
    """Rows of text under headings; the first column, which names the row, is repeated in every table.

    The first row is bold if ``first_bold``. The first column and those in ``left`` are left-aligned, others right.
    """

    def __init__(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        title: str | None = None,
        caption: str | None = None,
        first_bold: bool = False,
        left: Sequence[str] = (),
    ) -> None:
        self.headings, self.rows = list(headings), [list(row) for row in rows]
        self.title, self.caption, self.first_bold, self.left = title, caption, first_bold, frozenset(left)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the fewest tables that fit the width."""
        widths = [
            max(Text(cell).cell_len for cell in column) + _GAP for column in zip(self.headings, *self.rows, strict=True)
        ]
        groups: list[list[int]] = []
        room = 0
        for i in range(1, len(widths)):
            if not groups or widths[i] > room:
                groups.append([])
                room = options.max_width - widths[0] + _GAP  # none after the last column
            groups[-1].append(i)
            room -= widths[i]
        if self.title:
            yield Text(self.title, style="italic")
        yield from (self._table([0, *group]) for group in groups or [[]])
        if self.caption:
            yield Text(self.caption, style="italic")

    def _table(self, columns: Sequence[int]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for i in columns:
            heading = self.headings[i]
            table.add_column(
                Text(heading), justify="left" if i == 0 or heading in self.left else "right", overflow="fold"
            )
        for number, row in enumerate(self.rows):
            style = "bold" if self.first_bold and number == 0 else ""
            table.add_row(*(Text(row[i]) for i in columns), style=style)
        return table

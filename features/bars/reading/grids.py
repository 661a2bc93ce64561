"""Spreadsheets and other grids of cells: the header is found as in a text, and cells keep their types."""

from __future__ import annotations

import io

import pandas as pd

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.reading.layout import Layout, layout_of

_HEAD_ROWS = 400


def spreadsheet_tables(data: bytes, place: str, reading: ReadingConfig | None = None) -> dict[str, pd.DataFrame]:
    """Return the tables of a workbook by the names of their sheets; sheets without a table are left out.

    Raises
    ------
    DataError
        It cannot be read, or no sheet has a table.
    """
    try:
        sheets = pd.read_excel(io.BytesIO(data), sheet_name=None, header=None, engine="calamine")
    except Exception as error:  # calamine's errors have no common class
        reason = " ".join(str(error).split())[:120].rstrip(".")
        raise DataError(f"{place} cannot be read (a workbook: {reason}). Save the sheet as CSV.") from error
    found, problem = {}, ""
    for name, grid in sheets.items():
        if grid.shape[0] > 1 and grid.shape[1] > 1:
            try:
                found[str(name)] = grid_table(grid, place, reading)
            except DataError as error:
                problem = problem or str(error)
    if not found:
        raise DataError(problem or f"{place} has no rows; expected bars (date, open, high, low, close, volume).")
    return found


def grid_table(grid: pd.DataFrame, place: str, reading: ReadingConfig | None = None) -> pd.DataFrame:
    """Return the table of a grid of cells whose columns have no names."""
    layout = _layout(grid, place, reading)
    rows = grid.iloc[layout.skip :].reset_index(drop=True)
    count = len(layout.names)
    rows = rows.iloc[:, :count].dropna(how="all")
    columns = pd.MultiIndex.from_tuples(layout.levels) if layout.levels else pd.Index(layout.names[: rows.shape[1]])
    return rows.set_axis(columns, axis=1).infer_objects()


def _layout(grid: pd.DataFrame, place: str, reading: ReadingConfig | None) -> Layout:
    head = grid.iloc[:_HEAD_ROWS].astype(object)
    text = "\n".join("\t".join(_cell(value) for value in row) for row in head.itertuples(index=False))
    return layout_of("sep=\t\n" + text + "\n", place, reading).without_first()


def _cell(value: object) -> str:
    if value is None or value != value:
        return ""
    text = str(value).replace("\t", " ").replace("\n", " ").replace('"', "'")
    return text.removesuffix(" 00:00:00")

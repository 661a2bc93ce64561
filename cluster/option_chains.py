"""What an import of option quotes means for the figures that are derived from chains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from configs.errors import shortened
from configs.words import counted
from features.alternative.checks import TableRows
from features.alternative.groups import group_of, slug_of
from features.alternative.options.figures import COUNTS, STORED, USED
from features.alternative.options.reasons import REASONS
from features.alternative.quarantine import Checked, RefusedRows
from features.store.option_figures import OptionFigures
from features.store.parquet import to_frame


def refuse_derived(rows: TableRows, figures: OptionFigures) -> TableRows:
    """Return daily figures without those that the lake derives from chains of the same symbol; those are refused.

    A series has one method: a vendor's ``iv30`` after a derived one would be a step that no market made.
    """
    if rows.table != "series":
        return rows
    frame = to_frame(rows.rows)
    names = [name for name in frame["series"].unique() if group_of(name) == "options"]
    symbols = tuple(sorted(set(frame["symbol"][frame["series"].isin(names)])))
    if not symbols:
        return rows
    derived = figures.read_all(symbols)
    stored = pd.concat([figures.lake.read("series", symbol) for symbol in symbols])
    is_derived = _pairs(frame).isin(_pairs(derived)) & ~_pairs(frame).isin(_pairs(stored))
    checked = Checked("series", frame, str(frame["source"].iloc[0]))
    checked.refuse(np.asarray(is_derived, np.bool_), "derived_from_chains")
    refused = RefusedRows(pd.concat([rows.refused.frame, checked.refused().frame], ignore_index=True))
    return TableRows(rows.table, rows.rows.filter(checked.is_good), refused, rows.lines)


def derived_lines(figures: OptionFigures, symbols: Sequence[str]) -> Iterator[str]:
    """Derive the figures of these symbols, and yield what was done and left out, in lines."""
    values, unused, forwards = Counter[str](), Counter[str](), Counter[str]()
    snapshots, with_iv, other = 0, 0, list[str]()
    for symbol in symbols:
        new = figures.derive(symbol)[1]
        unused.update(new.unused)
        forwards.update(new.forwards)
        sums = new.rows.groupby("series")["value"].agg(["sum", "count"])
        values.update({name: int(sums["sum"].get(name, 0)) for name in COUNTS})
        snapshots += int(sums["count"].get(STORED, 0))
        with_iv += int(sums["count"].get("iv30", 0))
        series = figures.lake.read("series", symbol)
        other += [f"{symbol} {name}" for name in sorted(set(series["series"]) & set(new.rows["series"]))]
    if snapshots:
        yield (
            f"option chains: {counted(snapshots, 'snapshot')}, {with_iv:,} with iv30; "
            f"{values[USED]:,} of {counted(values[STORED], 'quote')} inverted"
        )
        if with_iv < snapshots:
            yield (
                f"{counted(snapshots - with_iv, 'snapshot')} without iv30, which needs puts and calls near the forward "
                "at expiries on both sides of 30 days"
            )
        yield "forwards of expiries: " + ", ".join(f"{count:,} {name}" for name, count in forwards.items())
    for reason, count in unused.items():
        yield f"{counted(count, 'quote')} not inverted: {REASONS[reason]} ({reason})"
    if other:
        yield f"imported daily figures are used, not those of the chains: {shortened(other)}"


def _pairs(rows: pd.DataFrame) -> pd.MultiIndex:
    slugs = {name: slug_of(name) for name in rows["series"].unique()}
    return pd.MultiIndex.from_arrays([rows["symbol"], rows["series"].map(slugs)])

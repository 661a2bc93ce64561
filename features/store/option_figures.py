"""Daily figures of option chains, derived from the stored quotes when they are read, and cached."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
import pyarrow as pa

from configs.errors import StoreError
from features.alternative.options.figures import COUNTS, METHOD, STORED, ChainFigures, chain_figures
from features.alternative.options.quotes import minutes_of
from features.alternative.tables import SERIES
from features.store import lake_files as files
from features.store.alternative import AlternativeLake
from features.store.parquet import to_frame
from features.store.store import encode_symbol

_FOLDER = "lake/alternative/option_figures"
_NONE = to_frame(SERIES.empty_table())


class OptionFigures:
    """Rows of ``series`` that follow from the option chains of a lake; see :func:`.chain_figures`.

    The figures of a symbol are kept in a file with the stamp of its quotes. After quotes were added, those of the
    snapshots that the file does not have completely are derived again. So the figures are always those of all stored
    quotes, and the file may be deleted.
    """

    def __init__(self, lake: AlternativeLake) -> None:
        self.lake, self.store = lake, lake.store

    def read(self, symbol: str) -> pd.DataFrame:
        """Return the figures of one symbol by publication; empty if the lake has none of its quotes."""
        return self.derive(symbol)[0]

    def read_all(self, symbols: tuple[str, ...] = ()) -> pd.DataFrame:
        """Return the figures of these symbols, by default of all."""
        names = [name for name in self.lake.parts("options") if not symbols or name in symbols]
        frames = [self.read(name) for name in names]
        frames = [frame for frame in frames if len(frame)]
        return pd.concat(frames, ignore_index=True) if frames else _NONE

    def joined(self, series: pd.DataFrame, symbols: tuple[str, ...] = ()) -> pd.DataFrame:
        """Return rows of ``series`` together with the figures of chains.

        Series that a symbol has in ``series``, such as a vendor's ``iv30``, are not joined by those of its chains: one
        series has one method.
        """
        figures = self.read_all(symbols)
        figures = figures[~_keys(figures).isin(_keys(series))]
        return pd.concat([one for one in (series, figures) if len(one)] or [series], ignore_index=True)

    def features(self, series: pd.DataFrame, symbols: tuple[str, ...] = ()) -> pd.DataFrame:
        """Return the rows of :meth:`joined` that are features: without the numbers of quotes."""
        rows = self.joined(series, symbols)
        return rows[~rows["series"].isin(COUNTS)].reset_index(drop=True)

    def derive(self, symbol: str) -> tuple[pd.DataFrame, ChainFigures]:
        """Return the figures of one symbol, and what was derived now."""
        stamp = self.store.stamp(self.lake.file("options", symbol))  # before the quotes: an append in between shows
        found = self._kept(symbol)
        if found is not None and found[1] == stamp:
            return found[0], ChainFigures(_NONE, {}, {})
        chain = self.lake.read("options", symbol)
        kept = _NONE if found is None else found[0]
        minute = pd.Series(minutes_of(chain["known_from"]))
        complete = _complete(kept, minute)
        new = chain_figures(chain[~minute.isin(complete).to_numpy()])
        kept = kept[kept["known_from"].dt.tz_localize(None).isin(complete)]
        rows = pd.concat([one for one in (kept, new.rows) if len(one)] or [_NONE], ignore_index=True)
        rows = rows.sort_values(["known_from", "series"], kind="stable", ignore_index=True)
        table = pa.Table.from_pandas(rows, SERIES, preserve_index=False, nthreads=1)
        if len(chain):
            facts = {"method": METHOD, "quotes": stamp}
            with contextlib.suppress(StoreError):  # a reader without permission to write derives them every time
                self.store.write(_file(symbol), files.serialised(table.replace_schema_metadata(facts)))
        return to_frame(table), new

    def forget(self, symbol: str) -> None:
        """Delete the figures of one symbol, after its quotes were removed: others may come in their place."""
        self.store.delete(_file(symbol))

    def _kept(self, symbol: str) -> tuple[pd.DataFrame, str] | None:
        """Return the stored figures of this method and the stamp of their quotes; None if there are none to use."""
        try:
            table = files.parsed(self.store.read(_file(symbol)))
            facts = table.schema.metadata or {}
            if facts.get(b"method") != METHOD.encode():
                return None
            return to_frame(table.select(SERIES.names).cast(SERIES)), facts[b"quotes"].decode()
        except (FileNotFoundError, *files.READ_ERRORS):
            return None  # a damaged file is derived again


def _complete(kept: pd.DataFrame, minute: pd.Series) -> np.ndarray:
    """Return the snapshots whose figures are of as many quotes as the lake has: quotes are only ever added."""
    counted = kept[kept["series"] == STORED]
    stored = pd.Series(counted["value"].to_numpy(), counted["known_from"].dt.tz_localize(None).to_numpy())
    now = minute.value_counts()
    return now.index[(now == stored.reindex(now.index)).to_numpy()].to_numpy()


def _keys(rows: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(rows[["symbol", "series"]])


def _file(symbol: str) -> str:
    return f"{_FOLDER}/{encode_symbol(symbol)}.parquet"

"""Daily figures of option chains, derived from the stored quotes when they are read, and cached."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
import pyarrow as pa

from configs.errors import StoreError
from features.alternative.groups import slug_of
from features.alternative.options.figures import COUNTS, METHOD, ChainFigures, chain_figures
from features.alternative.options.quotes import CALENDAR, minutes_of
from features.alternative.schemas import SERIES
from features.bars.decisions import exchange_of
from features.store import lake_files as files
from features.store.alternative import AlternativeLake
from features.store.lake import Lake
from features.store.parquet import to_frame
from features.store.store import encode_symbol

_FOLDER = "lake/alternative/option_figures"
_KEPT = SERIES.append(pa.field("contents", pa.uint64(), nullable=False))
_NONE = to_frame(SERIES.empty_table())


class OptionFigures:
    """Rows of ``series`` that follow from the option chains of a lake; see :func:`.chain_figures`.

    The figures of a symbol are kept in a file with the stamp of its quotes, and a hash of the quotes of each minute.
    After the quotes changed, those of the minutes with another hash are derived again. So the figures are always those
    of all stored quotes, and either file may be deleted.

    Sessions and closes are those of the exchange whose calendar fits the symbol's bars in the lake when quotes are
    derived, and New York's where there are no bars or the exchange is not certain. Figures of another exchange are
    derived again.
    """

    def __init__(self, lake: AlternativeLake) -> None:
        self.lake, self.store = lake, lake.store

    def read(self, symbol: str) -> pd.DataFrame:
        """Return the figures of one symbol by publication; empty if the lake has none of its quotes."""
        return self.derive(symbol)[0]

    def read_all(self, symbols: tuple[str, ...] = ()) -> pd.DataFrame:
        """Return the figures of these symbols, by default of all."""
        frames = [self.read(name) for name in self._symbols(symbols)]
        frames = [frame for frame in frames if len(frame)]
        return pd.concat(frames, ignore_index=True) if frames else _NONE

    def joined(self, series: pd.DataFrame, symbols: tuple[str, ...] = ()) -> pd.DataFrame:
        """Return rows of ``series`` together with the figures of chains.

        Series that a symbol has in ``series``, such as a vendor's ``iv30``, are not joined by those of its chains: one
        series has one method.
        """
        return self._joined(series, symbols, frozenset())

    def features(self, series: pd.DataFrame, symbols: tuple[str, ...] = ()) -> pd.DataFrame:
        """Return the rows of :meth:`joined` that are features: without the numbers of quotes."""
        return self._joined(series[~series["series"].isin(COUNTS)], symbols, frozenset(COUNTS))

    def derive(self, symbol: str) -> tuple[pd.DataFrame, ChainFigures]:
        """Return the figures of one symbol, and what was derived now."""
        stamp = self.store.stamp(self.lake.file("options", symbol))  # before the quotes: an append in between shows
        table, facts = self._kept(symbol)
        if facts.get("quotes") == stamp and (facts["calendar"] or not self._has_bars(symbol)):
            return to_frame(table.select(SERIES.names)), ChainFigures(_NONE, {}, {})
        calendar = self._calendar(symbol)
        kept = to_frame(table if calendar == (facts.get("calendar") or CALENDAR) else _KEPT.empty_table())
        chain = self.lake.read("options", symbol)
        minute = minutes_of(chain["known_from"])
        contents = _contents(chain, minute)
        known = pd.MultiIndex.from_arrays([_minutes(kept), kept["contents"]])
        complete = contents.index[pd.MultiIndex.from_arrays([contents.index, contents]).isin(known)]
        new = chain_figures(chain[~np.isin(minute, complete)], calendar=calendar)
        kept = kept[_minutes(kept).isin(complete)]
        rows = pd.concat([one for one in (kept[SERIES.names], new.rows) if len(one)] or [_NONE], ignore_index=True)
        rows = rows.sort_values(["known_from", "series"], kind="stable", ignore_index=True)
        rows = rows.assign(contents=contents.loc[_minutes(rows)].to_numpy())
        table = pa.Table.from_pandas(rows, _KEPT, preserve_index=False, nthreads=1)
        if len(chain):
            exchange = calendar if self._has_bars(symbol) else ""
            facts = {"method": METHOD, "quotes": stamp, "calendar": exchange}
            with contextlib.suppress(StoreError):  # a reader without permission to write derives them every time
                self.store.write(_file(symbol), files.serialised(table.replace_schema_metadata(facts)))
        return to_frame(table.select(SERIES.names)), new

    def _joined(self, series: pd.DataFrame, symbols: tuple[str, ...], left_out: frozenset[str]) -> pd.DataFrame:
        own = dict[str, set[str]]()
        for symbol, name in series[["symbol", "series"]].drop_duplicates().itertuples(index=False):
            own.setdefault(symbol, set()).add(slug_of(name))
        frames = [series]
        for symbol in self._symbols(symbols):
            figures, taken = self.read(symbol), own.get(symbol, set())
            names = [name for name in figures["series"].unique() if slug_of(name) in taken or name in left_out]
            frames.append(figures[~figures["series"].isin(names)] if names else figures)
        return pd.concat([one for one in frames if len(one)] or [series], ignore_index=True)

    def _symbols(self, symbols: tuple[str, ...]) -> list[str]:
        """Return those of these symbols, by default of all, that have quotes."""
        wanted = frozenset(symbols)
        return [name for name in self.lake.parts("options") if not wanted or name in wanted]

    def forget(self, symbol: str) -> None:
        """Delete the figures of one symbol, after its quotes were removed: others may come in their place."""
        self.store.delete(_file(symbol))

    def _has_bars(self, symbol: str) -> bool:
        return self.store.exists(files.bars_file(symbol))

    def _calendar(self, symbol: str) -> str:
        """Return the exchange of a symbol's bars, or New York's."""
        if not self._has_bars(symbol):
            return CALENDAR
        return exchange_of(Lake(self.store).read(symbol).dates) or CALENDAR

    def _kept(self, symbol: str) -> tuple[pa.Table, dict[str, str]]:
        """Return the stored figures of this method and their facts; no rows and no facts if there are none to use.

        ``quotes`` is the stamp of the quotes, ``calendar`` the exchange, empty if there were no bars to tell it from.
        """
        try:
            table = files.parsed(self.store.read(_file(symbol)))
            facts = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
            if facts.get("method") == METHOD:
                return table.select(_KEPT.names).cast(_KEPT), {"calendar": "", "quotes": "", **facts}
        except (FileNotFoundError, *files.READ_ERRORS):  # a damaged file is derived again
            pass
        return _KEPT.empty_table(), {}


def _contents(chain: pd.DataFrame, minute: np.ndarray) -> pd.Series:
    """Return for each minute a number that changes with any of its quotes, and not with their order."""
    plain = chain.drop(columns="retrieved_at").assign(expiry=pd.to_datetime(chain["expiry"]))
    return pd.util.hash_pandas_object(plain, index=False).groupby(minute).sum()


def _minutes(rows: pd.DataFrame) -> pd.Series:
    found: pd.Series = rows["known_from"].dt.tz_localize(None)
    return found


def _file(symbol: str) -> str:
    return f"{_FOLDER}/{encode_symbol(symbol)}.parquet"

"""Real prices inside packages that are installed with Fleetcast: no network, no account.

S&P 500 (``^GSPC``) and NASDAQ Composite (``^IXIC``), 1999 to 2018, from ``arch.data``; AAPL, FB, GOOG, IBM and
MSFT, 2000 to March 2013 (FB and GOOG from their listing on), from ``bokeh_sampledata``. The five stocks are survivors:
returns from them must not be quoted without saying so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.merge import between
from features.bars.quarantine import Quarantine
from features.bars.reading.numbers import parse_numbers
from features.bars.reading.session_dates import parse_dates
from features.bars.schema import SymbolBars, bars_from_frame
from features.sources.base import SourceSpec
from features.store.store import Store

_INDICES = {"^GSPC": "data/sp500/sp500.csv.gz", "^IXIC": "data/nasdaq/nasdaq.csv.gz"}
_STOCKS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
_CONTEXT = {"VIX": "data/vix/vix.csv.gz", "WTI": "data/wti/wti.csv.gz"}
_SERIES = {
    "data/core_cpi/core-cpi.csv.gz": ("CPILFESL",),
    "data/default/default.csv.gz": ("AAA", "BAA"),
}
SYMBOLS = (*_STOCKS, *_INDICES)


class EmbeddedSource:
    """Seven real daily series, adjusted by their own ``Adj Close``."""

    name = "embedded"
    read_as: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def __init__(self) -> None:
        self.quarantine = Quarantine.empty()
        self.missing: dict[str, str] = {}

    def load(
        self, symbols: Sequence[str] = (), start: date | None = None, end: date | None = None
    ) -> Iterator[SymbolBars]:
        """Yield bars symbol by symbol; see :class:`~features.sources.base.Source`."""
        wanted = list(dict.fromkeys(symbols or SYMBOLS))
        reason = f"not embedded; choose from {', '.join(SYMBOLS)}, or fetch it: data.bars=yahoo"
        self.missing = {symbol: reason for symbol in wanted if symbol not in SYMBOLS}
        found: list[SymbolBars] = []
        parts: list[Quarantine] = []
        if any(symbol in _STOCKS for symbol in wanted):
            table = pd.read_csv(_packaged("bokeh_sampledata", "_data/stocks.csv.gz"))
            found, quarantine = bars_from_frame(table, place="bokeh_sampledata's stocks")
            parts.append(quarantine)
        for symbol, file in _INDICES.items():
            if symbol in wanted:
                table = pd.read_csv(_packaged("arch", file))
                index, quarantine = bars_from_frame(table, symbol, place=f"arch's {file}")
                found.extend(index)
                parts.append(quarantine)
        self.quarantine = Quarantine.concat(parts)
        by_name = {bars.symbol: bars for bars in found}
        for symbol in wanted:
            if symbol in self.missing:
                continue
            bars = between(by_name[symbol], start, end)
            if len(bars):
                yield bars
            else:
                self.missing[symbol] = "no bars in the requested period"

    def stamp(self) -> str:
        """Return a constant: these bars never change."""
        return self.name


def embedded_context() -> pd.DataFrame:
    """Return market series in long form ``date, series, value``: VIX (2014 to 2019) and WTI crude (1986 to 2019).

    WTI is a price in dollars a barrel, VIX a volatility in percent. Days without an observation are absent.
    """
    parts = []
    for series, file in _CONTEXT.items():
        table = pd.read_csv(_packaged("arch", file))
        values, _ = parse_numbers(table.iloc[:, 1])
        dates = parse_dates(table.iloc[:, 0], f"arch's {file}")
        parts.append(pd.DataFrame({"date": dates, "series": series, "value": values}).dropna())
    return pd.concat(parts, ignore_index=True)


def embedded_series() -> pd.DataFrame:
    """Return economic series in long form ``series, period, value``: core CPI, and yields of AAA and BAA bonds.

    Monthly, 1919 or 1957 to 2019, as revised by then: their publication times are those of the fallback lags.
    """
    parts = []
    for file, names in _SERIES.items():
        table = pd.read_csv(_packaged("arch", file))
        period = pd.to_datetime(table["Date"], format="%m/%d/%Y")
        for name in names:
            values, _ = parse_numbers(table[name])
            parts.append(pd.DataFrame({"series": name, "period": period, "value": values}).dropna())
    return pd.concat(parts, ignore_index=True)


def _packaged(package: str, file: str) -> Path:
    # Importing arch would take a second.
    spec = find_spec(package)
    path = Path(next(iter(spec.submodule_search_locations or ())), file) if spec is not None else Path(file)
    if not path.is_file():
        raise DataError(f"package {package!r} has no file {file!r}; expected it to be installed. Run: uv sync.")
    return path


def _open(spec: str, store: Store, reading: ReadingConfig) -> EmbeddedSource:
    return EmbeddedSource()


SPEC = SourceSpec(name="embedded", open=_open)

"""A collector of Yahoo's option chains through yfinance: there is no history, so a quote counts from its retrieval.

Each run stores all expiries of a symbol as they are quoted then. Open interest is that of the day before. For personal
use only; see Yahoo's terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from features.alternative.fetch.base import FetchRequest, FetchSpec
from features.alternative.fetch.http import Http, SourceError
from features.alternative.fetch.yahoo_calls import collected

_NAMES = {"openInterest": "open_interest", "impliedVolatility": "iv"}
_FIGURES = ("strike", "bid", "ask", "volume", "open_interest", "iv")
_PLACEHOLDER_IV = 1e-4  # Yahoo shows 1e-5 where it has none

Chain = tuple[str, pd.DataFrame | None, pd.DataFrame | None, float]
"""An expiry such as ``2026-01-16``, its calls, its puts, and the price of the stock."""


def fetch_chains(item: str, request: FetchRequest, http: Http) -> Iterator[pd.DataFrame]:
    """Yield one frame with all quotes of a symbol; a part of a chain is not yielded."""
    chains = collected(_chains, item, http)
    frame = chain_frame(chains, item, request.now)
    if not len(frame):
        raise SourceError("Yahoo shows no options of it now.")
    yield frame


def chain_frame(chains: Sequence[Chain], symbol: str, now: pd.Timestamp) -> pd.DataFrame:
    """Return quotes from chains as yfinance returns them."""
    parts = []
    for expiry, calls, puts, price in chains:
        for right, quotes in (("call", calls), ("put", puts)):
            if quotes is not None and len(quotes):
                given = quotes.rename(columns=_NAMES).reindex(columns=list(_FIGURES))
                parts.append(given.assign(expiry=expiry, right=right, underlying=price))
    if not parts:
        return pd.DataFrame()
    frame = pd.concat(parts, ignore_index=True)
    iv = pd.to_numeric(frame["iv"], errors="coerce")
    return frame.assign(symbol=symbol, quoted_at=now, iv=iv.where(iv > _PLACEHOLDER_IV))


def _chains(ticker: Any) -> list[Chain]:
    found = list[Chain]()
    for expiry in ticker.options:
        chain = ticker.option_chain(expiry)
        price = (chain.underlying or {}).get("regularMarketPrice")
        found.append((expiry, chain.calls, chain.puts, np.nan if price is None else float(price)))
    return found


SPEC = FetchSpec(name="yahoo_options", kind="options", items="symbols", fetch=fetch_chains, needs_start=False)

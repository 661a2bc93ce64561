"""Yahoo Finance through yfinance: a few concurrent requests, repeated with increasing delays when refused.

Yahoo's data is for personal use; see its terms. The bar of the current day is not fetched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

import pandas as pd

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars, bars_from_frame
from features.sources.base import SourceSpec
from features.store.store import Store

Fetch = Callable[[str, date | None, date], pd.DataFrame]


class RateLimitedError(Exception):
    """Yahoo refused a request because of too many requests."""


class UnknownSymbolError(Exception):
    """Yahoo has no bars of this symbol in this period."""


class YahooSource:
    """Daily bars, adjusted for splits and dividends.

    Parameters
    ----------
    fetch
        Returns one symbol's frame from a first day to a last day (exclusive).
    batch
        Number of concurrent requests.
    attempts
        Requests per symbol before it is reported as missing.
    sleep
        Waits for a number of seconds.
    """

    name = "yahoo"
    read_as: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def __init__(
        self,
        fetch: Fetch | None = None,
        batch: int = 4,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.fetch = fetch_history if fetch is None else fetch
        self.batch, self.attempts, self.sleep = batch, attempts, sleep
        self.quarantine = Quarantine.empty()
        self.missing: dict[str, str] = {}

    def load(
        self, symbols: Sequence[str] = (), start: date | None = None, end: date | None = None
    ) -> Iterator[SymbolBars]:
        """Yield bars symbol by symbol; see :class:`~features.sources.base.Source`.

        Raises
        ------
        DataError
            No symbol was given, the period is empty, or Yahoo cannot be reached.
        """
        if not symbols:
            raise DataError(
                "source 'yahoo' needs names of symbols, but none was given. Add them, such as --symbols AAPL,MSFT."
            )
        today = datetime.now(UTC).date()
        until = today if end is None else min(end + timedelta(days=1), today)
        if start is not None and start >= until:
            raise DataError(
                f"there is no day from start {start} to end {until} (today is excluded). Choose an earlier start."
            )
        self.missing, parts, any_found, failure = {}, list[Quarantine](), False, ""
        names = list(dict.fromkeys(symbols))
        with ThreadPoolExecutor(self.batch) as pool:
            for first in range(0, len(names), self.batch):
                results = self._batch(pool, names[first : first + self.batch], start, until)
                for symbol, result in results.items():
                    if isinstance(result, pd.DataFrame):
                        try:
                            found, quarantine = bars_from_frame(result, symbol, place=f"Yahoo's {symbol}")
                        except DataError as error:
                            self.missing[symbol] = str(error)
                            continue
                        parts.append(quarantine)
                        any_found = any_found or bool(found)
                        yield from found
                    else:
                        self.missing[symbol] = _line(result)
                        failure = failure or ("" if isinstance(result, UnknownSymbolError) else _line(result))
        self.quarantine = Quarantine.concat(parts)
        if not any_found and failure:
            raise DataError(
                f"Yahoo returned no bars for any of {len(names)} symbols ({failure}). Check the network or try later."
            )

    def stamp(self) -> str:
        """Return today's date in UTC, because there are new bars once a day."""
        return datetime.now(UTC).date().isoformat()

    def _batch(
        self, pool: ThreadPoolExecutor, names: Sequence[str], start: date | None, until: date
    ) -> dict[str, pd.DataFrame | Exception]:
        """Request these symbols, and failed ones again after a delay that doubles; return frames or last errors."""
        results: dict[str, pd.DataFrame | Exception] = {}
        pending = list(names)
        for attempt in range(self.attempts):
            if attempt:
                self.sleep(backoff_s(attempt))
            futures = {name: pool.submit(self.fetch, name, start, until) for name in pending}
            for name, future in futures.items():
                error = future.exception()
                if error is not None and not isinstance(error, Exception):
                    raise error
                results[name] = future.result() if error is None else error
            pending = [
                name
                for name in pending
                if isinstance(results[name], Exception) and not isinstance(results[name], UnknownSymbolError)
            ]
            if not pending:
                break
        return {name: results[name] for name in names}


def backoff_s(attempt: int) -> float:
    """Return the delay in seconds before attempt 1, 2, 3 …: 2, 4, 8, at most 60."""
    return float(min(2.0**attempt, 60.0))


def fetch_history(symbol: str, start: date | None, end: date) -> pd.DataFrame:
    """Return yfinance's frame of one symbol: with ``Adj Close``, ``Stock Splits`` and rows that have no price.

    Raises
    ------
    RateLimitedError
        Yahoo refused the request; other errors than these two are failures of the network.
    UnknownSymbolError
        Yahoo has no bars of the symbol in this period.
    """
    import yfinance
    from yfinance.exceptions import YFException, YFRateLimitError

    # By default yfinance returns an empty frame instead of raising.
    yfinance.config.debug.hide_exceptions = False
    first = date(1900, 1, 1) if start is None else start
    try:
        frame: pd.DataFrame = yfinance.Ticker(symbol).history(
            start=first, end=end, interval="1d", auto_adjust=False, actions=True, keepna=True
        )
    except YFRateLimitError as error:
        raise RateLimitedError(_line(error)) from error
    except YFException as error:
        raise UnknownSymbolError(_line(error)) from error
    if frame.empty:
        raise UnknownSymbolError(f"Yahoo has no bars for {symbol!r} from {first} to {end}")
    return frame


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__


def _open(spec: str, store: Store, reading: ReadingConfig) -> YahooSource:
    return YahooSource()


SPEC = SourceSpec(name="yahoo", open=_open)

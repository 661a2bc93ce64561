"""Yahoo Finance through yfinance: one process, a few requests at a time, patient when told to wait.

Yahoo's data is for personal use; see its terms. Bars of the day that is still running are not fetched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from configs.errors import DataError
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars, bars_from_frame
from features.sources.base import SourceSpec
from features.store.store import Store

Fetch = Callable[[str, date | None, date], pd.DataFrame]


class RateLimitedError(Exception):
    """Yahoo refused a request for now."""


class UnknownSymbolError(Exception):
    """Yahoo answered, and has no bars for this symbol and period."""


class YahooSource:
    """Daily bars, adjusted for splits and dividends.

    Parameters
    ----------
    fetch
        Gives one symbol's frame from a day to a day (excluded).
    batch
        Symbols requested at the same time.
    attempts
        Requests per symbol before it is reported as missing.
    sleep
        Waits for that many seconds.
    """

    name = "yahoo"

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
            No symbol was named, or not one could be fetched because Yahoo cannot be reached.
        """
        if not symbols:
            raise DataError(
                "source 'yahoo' needs names of symbols, none was given. Name them, such as --symbols AAPL,MSFT."
            )
        today = datetime.now(UTC).date()
        until = today if end is None else min(end + timedelta(days=1), today)
        if start is not None and start >= until:
            raise DataError(
                f"no day lies between start {start} and end {until} (today is left out). Choose an earlier start."
            )
        self.missing, parts, given, unreached = {}, list[Quarantine](), 0, ""
        names = list(dict.fromkeys(symbols))
        with ThreadPoolExecutor(self.batch) as pool:
            for first in range(0, len(names), self.batch):
                answers = self._batch(pool, names[first : first + self.batch], start, until)
                for symbol, answer in answers.items():
                    if isinstance(answer, pd.DataFrame):
                        try:
                            found, quarantine = bars_from_frame(answer, symbol, place=f"Yahoo's {symbol}")
                        except DataError as error:
                            self.missing[symbol] = str(error)
                            continue
                        parts.append(quarantine)
                        given += len(found)
                        yield from found
                    else:
                        self.missing[symbol] = _line(answer)
                        unreached = unreached or ("" if isinstance(answer, UnknownSymbolError) else _line(answer))
        self.quarantine = Quarantine.concat(parts)
        if not given and unreached:
            raise DataError(
                f"Yahoo gave no bars for any of {len(names)} symbols ({unreached}). Check the network or try later."
            )

    def stamp(self) -> str:
        """Return today's date in UTC: bars of finished days come once a day."""
        return datetime.now(UTC).date().isoformat()

    def _batch(
        self, pool: ThreadPoolExecutor, names: Sequence[str], start: date | None, until: date
    ) -> dict[str, pd.DataFrame | Exception]:
        """Ask for these symbols; those refused for now are asked for again after a wait that doubles."""
        answers: dict[str, pd.DataFrame | Exception] = {}
        left = list(names)
        for attempt in range(self.attempts):
            if attempt:
                self.sleep(backoff_s(attempt))
            asked = {name: pool.submit(self.fetch, name, start, until) for name in left}
            for name, future in asked.items():
                error = future.exception()
                if error is not None and not isinstance(error, Exception):
                    raise error
                answers[name] = future.result() if error is None else error
            left = [
                n for n in left if isinstance(answers[n], Exception) and not isinstance(answers[n], UnknownSymbolError)
            ]
            if not left:
                break
        return {name: answers[name] for name in names}


def backoff_s(attempt: int) -> float:
    """Return the seconds to wait before attempt 1, 2, 3 …: 2, 4, 8, at most 60."""
    return float(min(2.0**attempt, 60.0))


def fetch_history(symbol: str, start: date | None, end: date) -> pd.DataFrame:
    """Return yfinance's frame of one symbol, unadjusted with ``Adj Close``, rows without a price included.

    Raises
    ------
    RateLimitedError, UnknownSymbolError
        As they say; anything else is a failure of the network.
    """
    import yfinance
    from yfinance.exceptions import YFException, YFRateLimitError

    # yfinance hides failures behind empty frames by default.
    yfinance.config.debug.hide_exceptions = False
    first = date(1900, 1, 1) if start is None else start
    try:
        frame: pd.DataFrame = yfinance.Ticker(symbol).history(
            start=first, end=end, interval="1d", auto_adjust=False, actions=False, keepna=True
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


def _open(spec: str, store: Store) -> YahooSource:
    return YahooSource()


SPEC = SourceSpec(name="yahoo", open=_open)

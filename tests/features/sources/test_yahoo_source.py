"""Yahoo refuses requests, lacks symbols or cannot be reached."""

from datetime import date

import pandas as pd
import pytest

from configs.errors import DataError
from features.sources.yahoo import RateLimitedError, UnknownSymbolError, YahooSource, backoff_s


def frame(base: float = 10.0) -> pd.DataFrame:
    """Return five closes as Yahoo returns them."""
    return pd.DataFrame({"Date": pd.date_range("2024-01-01", periods=5), "Close": [base + day for day in range(5)]})


def loaded(source, *arguments):
    return {bars.symbol: bars for bars in source.load(*arguments)}


class Yahoo:
    """Replaces the network: returns or raises the next of each symbol's answers."""

    def __init__(self, **answers):
        self.answers, self.asked, self.waited = answers, [], []

    def __call__(self, symbol, start, end):
        self.asked.append((symbol, start, end))
        answer = self.answers[symbol].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def source(self, **options) -> YahooSource:
        return YahooSource(self, sleep=self.waited.append, **options)


def test_refused_requests_are_repeated_and_missing_symbols_are_reported():
    yahoo = Yahoo(
        A=[RateLimitedError("slow"), RateLimitedError("slow"), frame()],
        B=[UnknownSymbolError("delisted")],
        C=[frame(50.0)],
        D=[frame().drop(columns="Close")],
    )
    source = yahoo.source()
    bars = loaded(source, ["A", "B", "C", "D"], date(2024, 1, 1), date(2024, 1, 31))
    assert sorted(bars) == ["A", "C"] and yahoo.waited == [2.0, 4.0]
    assert source.missing["B"] == "delisted" and "no column for close" in source.missing["D"]
    assert {asked[2] for asked in yahoo.asked} == {date(2024, 2, 1)}


def test_an_unreachable_yahoo_is_one_clear_error():
    yahoo = Yahoo(A=[ConnectionError("no\nroute")] * 3)
    with pytest.raises(DataError, match=r"no bars for any of 1 symbols \(no route\)"):
        loaded(yahoo.source(attempts=3), ["A"], date(2024, 1, 1))
    assert len(yahoo.asked) == 3


def test_symbols_and_a_past_day_are_required():
    with pytest.raises(DataError, match="needs names"):
        loaded(Yahoo().source())
    with pytest.raises(DataError, match="there is no day from"):
        loaded(Yahoo().source(), ["A"], date(2999, 1, 1))


def test_backoff_doubles_and_is_bounded():
    assert [backoff_s(n) for n in (1, 2, 3, 50)] == [2.0, 4.0, 8.0, 60.0]

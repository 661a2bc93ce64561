"""Collectors without history, on the forms that yfinance returns, and weather by place."""

import numpy as np
import pandas as pd
import pytest

from cluster.alternative_data import inspect_rows
from configs.errors import ConfigError, DataError
from features.alternative.fetch import yahoo_calls, yahoo_news, yahoo_options
from features.alternative.fetch.http import Http, SourceError
from features.alternative.known import KnownData

NEW = {"id": "n-1", "content": {"id": "n-1", "title": "Profit rises", "pubDate": "2026-05-30T10:00:00Z"}}
OLD = {"uuid": "n-2", "title": "Chief leaves", "publisher": "P", "providerPublishTime": 1_780_000_000}


def test_news_counts_from_its_retrieval_and_is_stored_once(fetch, monkeypatch):
    shown = [NEW, OLD, NEW, {"id": "n-3", "content": {"title": ""}}]
    monkeypatch.setattr(yahoo_news, "collected", lambda download, symbol, http: shown)
    fetch.url = None
    assert fetch("yahoo_news", "AAPL", now="2026-06-01T12:00Z").added == {"text": 2}
    rows = fetch.lake.read("text", "AAPL")
    assert set(rows["id"]) == {"n-1", "n-2"} and set(rows["source"]) == {"yahoo_news"}
    for name in ("published_at", "known_from", "retrieved_at"):
        assert (rows[name] == pd.Timestamp("2026-06-01T12:00Z")).all()
    assert fetch("yahoo_news", "AAPL", now="2026-06-02T12:00Z").added == {"text": 0}
    shown[0] = {"id": "n-1", "content": {"title": "Profit falls"}}
    shown.pop(2)
    assert fetch("yahoo_news", "AAPL", now="2026-06-03T12:00Z").added == {"text": 1}
    assert str(fetch.lake.read("text", "AAPL")["known_from"].max()) == "2026-06-03 12:00:00+00:00"
    shown[0] = NEW
    assert fetch("yahoo_news", "AAPL", now="2026-06-04T12:00Z").added == {"text": 1}, "the former headline is back"
    shown.clear()
    with pytest.raises(DataError, match="AAPL: Yahoo shows no news of it now"):
        fetch("yahoo_news", "AAPL")
    with pytest.raises(ConfigError, match="no history"):
        fetch("yahoo_news", "AAPL", start="2025-01-01")


def quotes(*strikes):
    return pd.DataFrame(
        {
            "contractSymbol": "X",
            "strike": strikes,
            "bid": 1.0,
            "ask": 1.2,
            "volume": [np.nan] + [5.0] * (len(strikes) - 1),
            "openInterest": 7,
            "impliedVolatility": [0.00001] + [0.3] * (len(strikes) - 1),
        }
    )


def test_chains_are_stored_as_quoted_at_each_run(fetch, monkeypatch):
    chains = [("2026-06-19", quotes(90.0, 100.0), quotes(90.0), 95.5), ("2026-07-17", None, quotes(80.0), np.nan)]
    monkeypatch.setattr(yahoo_options, "collected", lambda download, symbol, http: chains)
    fetch.url = None
    assert fetch("yahoo_options", "AAPL").added == {"options": 4}
    assert fetch("yahoo_options", "AAPL").added == {"options": 0}
    assert fetch("yahoo_options", "AAPL", now="2026-06-02T12:00Z").added == {"options": 4}
    rows = fetch.lake.read("options", "AAPL")
    assert (rows["known_from"] == rows["quoted_at"]).all() and set(rows["right"]) == {"call", "put"}
    one = rows[(rows["strike"] == 100.0)].iloc[0]
    assert (one["iv"], one["underlying"], one["open_interest"], str(one["expiry"])) == (0.3, 95.5, 7.0, "2026-06-19")
    assert rows[rows["strike"] == 80.0]["iv"].isna().all(), "Yahoo's placeholder is no volatility"
    (seen,) = [row for row in inspect_rows(fetch.store) if row["table"] == "options"]
    assert (seen["name"], seen["rows"], seen["most_vintages"], seen["sources"]) == (
        "option chains",
        2,
        1,
        ["yahoo_options"],
    )
    assert not len(yahoo_options.chain_frame([], "AAPL", pd.Timestamp("2026-06-01T12:00Z")))


@pytest.mark.parametrize("source", ["yahoo_news", "yahoo_options"])
def test_what_arrives_after_the_close_counts_from_then_in_a_run_that_began_before(fetch, monkeypatch, source):
    now = [pd.Timestamp("2026-06-01T19:58Z")]

    def collected(download, symbol, http):
        now[0] += pd.Timedelta(minutes=7)
        return [NEW] if source == "yahoo_news" else [("2026-06-19", quotes(90.0), quotes(90.0), 95.5)]

    monkeypatch.setattr(yahoo_news if source == "yahoo_news" else yahoo_options, "collected", collected)
    fetch.url = None
    fetch(source, "AAPL", "IBM", now=lambda: now[0])
    for symbol, at in (("AAPL", "20:05"), ("IBM", "20:12")):
        rows = fetch.lake.read("text" if source == "yahoo_news" else "options", symbol)
        assert set(rows["known_from"].astype(str)) == {f"2026-06-01 {at}:00+00:00"}, "not from the run's beginning"


def test_calls_of_yfinance_are_repeated_or_reported():
    from yfinance.exceptions import YFRateLimitError, YFTzMissingError

    slept, answers = [], []
    http = Http("yahoo_news", "https://localhost", sleep=slept.append)

    def download(ticker):
        answers.append(ticker.ticker)
        if isinstance(outcome := outcomes.pop(0), Exception):
            raise outcome
        return outcome

    outcomes = [OSError("no route"), ValueError("half"), [NEW]]
    assert yahoo_calls.collected(download, "AAPL", http) == [NEW] and answers == ["AAPL"] * 3 and len(slept) == 2
    for errors, calls, stops, is_answered, says in (
        ([YFRateLimitError()] * 5, 5, True, True, "accepts no more requests"),
        ([YFTzMissingError("NOSUCH")], 1, False, True, "has nothing of NOSUCH"),
        ([OSError("no route")] * 5, 5, False, False, "did not answer"),
    ):
        outcomes, answers = list(errors), []
        with pytest.raises(SourceError, match=says) as caught:
            yahoo_calls.collected(download, "NOSUCH", http)
        assert (len(answers), caught.value.stops, caught.value.is_answered) == (calls, stops, is_answered)


@pytest.fixture
def weather(standin):
    def forecast(query):
        days = pd.date_range(query["start_date"], query["end_date"]).strftime("%Y-%m-%d").tolist()
        names = query["daily"].split(",")
        values = [None, *np.arange(1.0, len(days)).tolist()]
        return {"daily": {"time": days, **{name: values for name in names}}}

    standin.routes["/v1/forecast"] = forecast


def test_weather_of_a_place_counts_from_the_next_noon(fetch, standin, weather):
    found = fetch("open_meteo", "Chicago=41.9,-87.6", "Nowhere=91,0", start="2026-05-28", now="2026-06-01T12:30Z")
    assert standin.asked[0].query["latitude"] == "41.9" and standin.asked[0].query["end_date"] == "2026-05-31"
    assert found.added == {"series": 9} and "such as Chicago=41.9,-87.6" in found.missing["Nowhere=91,0"]
    rows = fetch.lake.read("series", "")
    names = {f"weather_chicago_{one}" for one in ("temperature", "precipitation", "wind_speed")}
    assert set(rows["series"]) == names and set(rows["source"]) == {"open_meteo"}
    assert ((rows["known_from"].dt.tz_localize(None) - rows["period"]) == pd.Timedelta(hours=36)).all()
    assert any(column.startswith("weather_chicago_temperature") for column in KnownData.from_frames(rows).columns)
    with pytest.raises(DataError, match="is known yet"):
        fetch("open_meteo", "Chicago=41.9,-87.6", start="2026-06-01", now="2026-06-01T13:00Z")

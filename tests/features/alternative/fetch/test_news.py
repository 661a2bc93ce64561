"""News and filings from answers of their sources, through the lake to the bars that may use them."""

import numpy as np
import pandas as pd
import pytest

from configs.errors import ConfigError, DataError
from features.alternative.known import KnownData
from features.bars.sessions import sessions_between


def ages(lake, symbol, kind, *bars):
    """Return the age in days of a symbol's newest text at bars of New York; NaN before the first."""
    end = np.datetime64(bars[-1])
    dates = sessions_between("XNYS", end - np.timedelta64(400, "D"), end).astype("datetime64[ns]")
    data = KnownData.from_frames(texts=lake.read_all("text").assign(tone=0.5))
    found = data.at(symbol, dates)[:, data.columns.index(f"sentiment_{kind}_age")]
    return [found[dates == np.datetime64(bar, "ns")][0] for bar in bars]


def article(number, created, updated=None, headline="Profit rises"):
    return {
        "id": number,
        "created_at": created,
        "updated_at": updated or created,
        "headline": headline,
        "symbols": ["AAPL", "MSFT"],
        "source": "benzinga",
    }


@pytest.fixture
def alpaca(standin):
    """Three pages of two articles each."""
    found = [article(i, f"2025-05-0{1 + i // 2}T{14 + i}:00:00Z") for i in range(6)]

    def news(query):
        first = int(query.get("page_token", 0))
        token = str(first + 2) if first + 2 < len(found) else None
        return {"news": found[first : first + 2], "next_page_token": token}

    standin.routes["/v1beta1/news"] = news
    return found


def test_pages_of_news_are_read_with_both_keys_in_headers(fetch, standin, alpaca, keys):
    found = fetch("alpaca", "BRK-B", start="2025-05-01", end="2025-05-03")
    assert found.added == {"text": 6} and found.without_bars == ("BRK-B",)
    assert [one.query.get("page_token") for one in standin.asked] == [None, "2", "4"]
    first = standin.asked[0]
    assert (first.query["symbols"], first.query["start"]) == ("BRK.B", "2025-05-01T00:00:00Z")
    assert first.headers["apca-api-key-id"] == keys["APCA_API_KEY_ID"]
    assert first.headers["apca-api-secret-key"] == keys["APCA_API_SECRET_KEY"]
    rows = fetch.lake.read("text", "BRK-B")
    assert set(rows["id"]) == {"0", "1", "2", "3", "4", "5"} and set(rows["source"]) == {"alpaca"}
    assert fetch("alpaca", "BRK-B", start="2025-05-01", end="2025-05-03").added == {"text": 0}


def test_an_edited_article_counts_from_its_edit(fetch, alpaca):
    alpaca[:] = [article(1, "2025-05-01T14:00:00Z", "2025-05-01T21:30:00Z")]
    fetch("alpaca", "AAPL", start="2025-05-01")
    assert np.isnan(ages(fetch.lake, "AAPL", "news", "2025-05-01", "2025-05-02")).tolist() == [True, False]
    alpaca[:] = [article(1, "2025-05-01T14:00:00Z", "2025-05-05T13:00:00Z", "Profit falls")]
    assert fetch("alpaca", "AAPL", start="2025-05-01").added == {"text": 1}
    assert fetch.lake.read("text", "AAPL")["text"].tolist() == ["Profit rises", "Profit falls"]


def test_a_failure_in_the_middle_keeps_what_was_read(fetch, standin, alpaca, monkeypatch):
    monkeypatch.setattr("features.alternative.fetch.alpaca._FRAME", 2)
    standin.script = [None, None, *[500] * 5]
    found = fetch("alpaca", "AAPL", "MSFT", start="2025-05-01")
    assert found.added == {"text": 4 + 6} == found.stored and "status 500" in found.missing["AAPL"]
    assert fetch("alpaca", "AAPL", "MSFT", start="2025-05-01").added == {"text": 2}


def test_a_page_that_repeats_and_a_symbol_without_news_are_reported(fetch, standin):
    standin.routes["/v1beta1/news"] = lambda query: {"news": [], "next_page_token": "same"}
    with pytest.raises(DataError, match="page token repeats"):
        fetch("alpaca", "AAPL", start="2025-05-01")
    standin.routes["/v1beta1/news"] = lambda query: {"news": [], "next_page_token": None}
    assert "nothing of it" in fetch("alpaca", "AAPL", start="2025-05-01").missing["AAPL"]
    with pytest.raises(ConfigError, match="needs the first day"):
        fetch("alpaca", "AAPL")
    with pytest.raises(DataError, match="Choose an earlier start"):
        fetch("alpaca", "AAPL", start="2026-06-02")


def lists(*filings):
    names = ("accessionNumber", "filingDate", "acceptanceDateTime", "form", "items")
    return dict(zip(names, map(list, zip(*filings, strict=True)), strict=True))


@pytest.fixture
def edgar(standin):
    recent = lists(
        ("a-3", "2025-05-01", "2025-05-01T16:21:59.000Z", "8-K", "2.02,9.01"),
        ("a-2", "2025-04-30", "2025-04-29T18:05:00.000Z", "8-K/A", "9.99"),
        ("a-1", "2025-04-28", "2025-04-28T12:00:00.000Z", "10-Q", ""),
    )
    older = lists(("a-0", "2010-02-01", "2010-02-01T09:00:00.000Z", "8-K", "8.01"))
    name = "CIK0000000007-submissions-001.json"
    files = [{"name": name, "filingFrom": "2001-01-01", "filingTo": "2015-12-31"}]
    standin.routes["/files/company_tickers.json"] = lambda query: {
        "0": {"cik_str": 7, "ticker": "X", "title": "Steel"},
        "1": {"cik_str": 8, "ticker": "BRK-B", "title": "Other"},
    }
    standin.routes["/submissions/CIK0000000007.json"] = lambda query: {"filings": {"recent": recent, "files": files}}
    standin.routes[f"/submissions/{name}"] = lambda query: older
    return recent


def test_a_filing_after_the_close_is_first_seen_by_the_next_bar(fetch, standin, edgar):
    found = fetch("edgar", "X", "NOSUCH", start="2025-01-01")
    assert found.added == {"text": 2} and "no ticker NOSUCH" in found.missing["NOSUCH"]
    assert {one.headers["user-agent"] for one in standin.asked} == {"fleetcast Jane Doe jane@example.com"}
    assert [one.path for one in standin.asked].count("/files/company_tickers.json") == 1
    rows = fetch.lake.read("text", "X").set_index("id")
    assert str(rows["known_from"]["a-3"]) == "2025-05-01 20:21:59+00:00", "16:21:59 in New York, though it says Z"
    assert (
        rows["text"]["a-3"] == "8-K: results of operations and financial condition; financial statements and exhibits"
    )
    assert rows["text"]["a-2"] == "8-K/A: item 9.99" and set(rows["kind"]) == {"filing"}
    assert str(rows["known_from"]["a-2"]) == "2025-04-30 10:00:00+00:00", "after 17:30: published the next day at 6"
    found = ages(fetch.lake, "X", "filing", "2025-04-29", "2025-04-30", "2025-05-01", "2025-05-02")
    assert np.isnan(found[0]) and found[1] < found[2] and found[3] == pytest.approx(1.0 - (21 * 60 + 59) / 86_400)


@pytest.mark.parametrize(
    ("day", "accepted", "known_from"),
    [
        ("2025-05-01", "2025-05-01T16:21:59.000Z", "2025-05-01T20:21:59Z"),
        ("2025-05-02", "2025-05-01T17:31:00.000Z", "2025-05-02T10:00:00Z"),  # New York's time after 17:30
        ("2025-05-02", "2025-05-02T00:40:00.000Z", "2025-05-02T10:00:00Z"),  # the same in UTC: 20:40 in New York
        ("1998-05-04", "1998-05-04T00:00:00.000Z", "1998-05-05T04:00:00Z"),  # no time
    ],
)
def test_no_filing_counts_before_its_publication(fetch, edgar, day, accepted, known_from):
    for values, value in zip(edgar.values(), ("a-9", day, accepted, "8-K", "8.01"), strict=True):
        values.append(value)
    fetch("edgar", "X", start=day, end=day)
    rows = fetch.lake.read("text", "X").set_index("id")
    assert rows["known_from"]["a-9"] == pd.Timestamp(known_from)


def test_older_lists_are_read_where_the_period_needs_them(fetch, standin, edgar):
    assert fetch("edgar", "X", start="2010-01-01", end="2025-04-30").added == {"text": 2}
    assert fetch("edgar", "LEFT=7", start="2010-01-01", end="2012-01-01").added == {"text": 1}
    assert fetch.lake.read("text", "LEFT")["id"].tolist() == ["a-0"], "a company by its number, not on the list"


def test_a_time_that_may_be_ahead_of_the_clock_is_read_later(fetch, edgar):
    assert fetch("edgar", "X", start="2025-05-01", now="2025-05-01T17:00Z").missing.keys() == {"X"}
    later = fetch("edgar", "X", start="2025-05-01", now="2025-05-01T21:00Z")
    assert later.added == {"text": 1} and not len(later.refused)


def test_a_filing_of_the_evening_counts_from_the_next_morning_in_either_zone(fetch, edgar):
    for name, of_new_york, of_utc in zip(edgar, *evening_filings(), strict=True):
        edgar[name] += [of_new_york, of_utc]
    early = fetch("edgar", "X", start="2025-05-02", now="2025-05-02T09:00Z")
    assert early.missing.keys() == {"X"} and not len(early.refused), "published at 06:00 in New York: read later"
    assert fetch("edgar", "X", start="2025-05-02", now="2025-05-02T11:00Z").added == {"text": 2}
    assert set(fetch.lake.read("text", "X")["known_from"].astype(str)) == {"2025-05-02 10:00:00+00:00"}


def evening_filings():
    """Return two filings of 20:30 in New York, with that time and with the one in UTC."""
    times = {"b-1": "2025-05-01T20:30:00.000Z", "b-2": "2025-05-02T00:30:00.000Z"}
    return [(name, "2025-05-02", time, "8-K", "8.01") for name, time in times.items()]


def test_the_sec_needs_a_contact(fetch, standin, edgar, monkeypatch):
    monkeypatch.setenv("SEC_CONTACT", "Jane")
    with pytest.raises(ConfigError, match=r"needs SEC_CONTACT.*address of mail"):
        fetch("edgar", "X", start="2025-01-01")
    assert not standin.asked


@pytest.fixture
def alphavantage(standin, monkeypatch):
    """Seven articles, three in an answer."""
    monkeypatch.setattr("features.alternative.fetch.alphavantage._MOST", 3)
    minutes = (0, 1, 2, 2, 3, 4, 5)
    found = [
        {
            "title": f"Headline {i}",
            "url": f"https://news.example/{i}",
            "time_published": f"20250501T13{minute:02d}30",
            "ticker_sentiment": [
                {"ticker": "IBM", "relevance_score": "0.8", "ticker_sentiment_score": f"-0.{i}5"},
                {"ticker": "MSFT", "relevance_score": "0.1", "ticker_sentiment_score": "0.9"},
            ],
        }
        for i, minute in enumerate(minutes)
    ]

    def query(asked):
        given = [one for one in found if asked["time_from"] <= one["time_published"][:13] <= asked["time_to"]]
        return {"items": str(len(given)), "feed": given[: int(asked["limit"])]}

    standin.routes["/query"] = query
    return found


def test_windows_of_time_join_answers_that_are_full(fetch, standin, alphavantage, keys):
    found = fetch("alphavantage", "IBM", start="2025-05-01", end="2025-05-02")
    assert found.added == {"text": 7} and len(standin.asked) > 2 and not len(found.refused)
    assert standin.asked[0].query["apikey"] == keys["ALPHAVANTAGE_API_KEY"]
    rows = fetch.lake.read("text", "IBM").set_index("text")
    assert str(rows["known_from"]["Headline 1"]) == "2025-05-01 13:01:30+00:00"
    assert (rows["score"]["Headline 1"], rows["relevance"]["Headline 1"]) == (-0.15, 0.8)
    assert fetch("alphavantage", "IBM", start="2025-05-01", end="2025-05-02").added == {"text": 0}
    alphavantage[:] = [one | {"time_published": "20250501T130230"} for one in alphavantage]
    crowded = fetch("alphavantage", "IBM", start="2025-05-01").missing["IBM"]
    assert "3 articles of IBM in the minute of 2025-05-01 13:02" in crowded


def test_a_limit_with_status_200_ends_the_run_and_repeats_no_key(fetch, standin, keys):
    said = f"We have detected your API key as {keys['ALPHAVANTAGE_API_KEY']} and our rate limit is 25 requests per day."
    standin.routes["/query"] = lambda query: {"Information": said}
    with pytest.raises(DataError, match="API key as … and our rate limit is 25") as caught:
        fetch("alphavantage", "IBM", "MSFT", start="2025-05-01")
    assert keys["ALPHAVANTAGE_API_KEY"] not in str(caught.value) and len(standin.asked) == 1
    standin.routes["/query"] = lambda query: {"Information": "Invalid inputs. Please refer to the documentation."}
    with pytest.raises(DataError, match=r"IBM: alphavantage sends no articles: Invalid inputs.*MSFT"):
        fetch("alphavantage", "IBM", "MSFT", start="2025-05-01")
    assert len(standin.asked) == 3
    standin.routes["/query"] = lambda query: {"Information": "No articles found."}
    assert "nothing of it" in fetch("alphavantage", "IBM", start="2025-05-01").missing["IBM"]


def test_rows_that_break_a_rule_are_refused_and_reported(fetch, standin, alpaca):
    alpaca[:] = [article(1, None), article(2, "2025-05-01T14:00:00Z"), article(3, "2025-05-01T15:00:00Z", headline="")]
    found = fetch("alpaca", "AAPL", start="2025-05-01")
    assert found.added == {"text": 1}
    assert found.refused.counts() == {"no_publication_time": 1, "no_text": 1} == fetch.lake.refused().counts()
    assert isinstance(fetch.lake.read("text", "AAPL")["retrieved_at"].iloc[0], pd.Timestamp)

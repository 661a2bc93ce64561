"""Rows of users' data: each is stored or refused under a rule, and what cannot be known is asked for."""

import json

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.alternative.checks import ReadingOptions
from features.alternative.known import KnownData
from features.alternative.read_series import read_events, read_option_days, read_series
from features.alternative.read_texts import read_chain, read_text
from features.alternative.user_files import renamed

OPTIONS = ReadingOptions("mine", np.datetime64("2026-01-02T00:00", "ns"))


def frame_of(*rows: dict) -> pd.DataFrame:
    return renamed(pd.DataFrame(list(rows)))


@pytest.mark.parametrize("day", ["0001-01-01", "1677-12-31", "2262-04-11", "9999-12-31"])
def test_dates_that_do_not_fit_are_refused_row_by_row(day):
    good = {"series": "X", "date": "2020-01-01", "value": "1", "known_from": "2020-02-13T08:30-05:00"}
    at = f"{day}T12:00Z"
    series = read_series(frame_of(good, good | {"date": day}, good | {"known_from": at}), OPTIONS)
    assert series.rows.num_rows == 1 and series.rows["period"][0].as_py().year == 2020
    quote = {"symbol": "A", "quoted_at": "2025-01-02T20:00Z", "expiry": "2025-02-01", "strike": 10, "right": "c"}
    chain = read_chain(frame_of(quote, quote | {"expiry": day}, quote | {"quoted_at": at}), OPTIONS)
    assert chain.rows.num_rows == 1 and chain.rows["expiry"][0].as_py().year == 2025
    text = read_text(frame_of({"published_at": "2020-01-01", "text": "a"}, {"published_at": at, "text": "b"}), OPTIONS)
    assert text.rows.num_rows == 1


@pytest.mark.parametrize("number", [float("inf"), "1e400", 10**400, "-inf"])
def test_quotes_that_are_not_finite_are_refused(number):
    quote = {"symbol": "A", "quoted_at": "2025-01-02T20:00Z", "expiry": "2025-02-01", "strike": 10, "right": "c"}
    rows = [quote | {name: number} for name in ("strike", "bid", "ask", "iv", "underlying", "volume")]
    read = read_chain(frame_of(quote, *rows), OPTIONS)
    assert read.rows.num_rows == 1 and read.refused.counts() == {"unusable_quote": len(rows)}
    series = {"series": "X", "date": "2020-01-01", "value": number, "known_from": "2020-02-01"}
    assert read_series(frame_of(series), OPTIONS).rows.num_rows == 0


def test_an_implied_volatility_in_percent_is_refused():
    rows = [
        {"symbol": "A", "known_from": f"2020-01-0{day}T21:00Z", "iv30": iv} for day, iv in enumerate((0.28, 27, 0), 1)
    ]
    read = read_option_days(frame_of(*rows), OPTIONS)
    assert read.rows["value"].to_pylist() == [0.28]
    assert read.refused.counts() == {"implied_volatility_out_of_range": 2}


def test_rows_of_series_are_stored_or_refused_under_a_rule():
    good = {"series": "X", "date": "2020-01-01", "value": "1", "known_from": "2020-02-13T08:30-05:00", "symbol": "A"}
    changes = [
        {},
        {"known_from": ""},
        {"known_from": "soon"},
        {"known_from": "2050-01-01"},
        {"date": "never"},
        {"value": "n.a."},
        {"series": "x" * 100},
        {"symbol": "B" * 65},
        {"symbol": "🚀" * 17},
    ]
    read = read_series(frame_of(*(good | one for one in changes)), OPTIONS)
    assert read.rows.num_rows == 1 and sum(read.refused.counts().values()) == 8
    assert read.refused.counts() == {
        "no_publication_time": 2,
        "future": 1,
        "unreadable_period": 1,
        "not_a_number": 1,
        "no_name": 3,
    }
    assert json.loads(read.refused.frame["row"][0])["series"] == "X"
    with pytest.raises(DataError, match="missing: value"):
        read_series(frame_of({"date": "2020-01-01"}), OPTIONS)
    with pytest.raises(DataError, match="names no zone"):
        read_series(frame_of(good | {"known_from": "2020-02-13 08:30"}), OPTIONS)


def test_times_of_edgar_are_of_new_york_although_they_end_with_z():
    given = ["2025-05-01T16:21:59.000Z", "2025-05-01T20:21:59+00:00", "2025-11-02T01:30:00.000Z", "", "soon"]
    frames = [renamed(pd.DataFrame({"acceptanceDateTime": given, "headline": "8-K", "kind": "filing"}))]
    parsed = pd.DataFrame({"acceptanceDateTime": pd.to_datetime(given[:1], utc=True), "text": "8-K"})
    read = read_text(frames[0], OPTIONS)
    times = [str(at)[:19] for at in read.rows["known_from"].to_pylist()]
    assert times == ["2025-05-01 20:21:59", "2025-05-01 20:21:59", "2025-11-02 06:30:00"]
    assert read.refused.counts() == {"no_publication_time": 2}
    assert str(read_text(renamed(parsed), OPTIONS).rows["known_from"][0])[:19] == times[0]


def test_series_without_publication_times_need_a_lag():
    table = frame_of(*({"series": name, "date": "2020-01-01", "value": 1.0} for name in ("CPIAUCSL", "MINE")))
    read = read_series(table, OPTIONS)
    assert read.rows["source"].to_pylist() == ["mine (revised values)"] and len(read.refused) == 1
    assert str(read.rows["known_from"][0].as_py())[:10] == "2020-03-01" and "MINE" in read.lines[-1]
    own = read_series(table, ReadingOptions("mine", OPTIONS.now, lag_days={"MINE": 3, "CPIAUCSL": 45}))
    assert own.rows["source"].to_pylist() == ["mine", "mine"] and not len(own.refused)
    with pytest.raises(DataError, match="--lag-days mine=DAYS"):
        read_series(table.drop(columns="series"), OPTIONS)
    unreadable = table.assign(known_from="soon")
    assert read_series(unreadable, OPTIONS).rows.num_rows == 0, "a lag replaces no time that is unreadable"


def test_places_name_series_of_weather():
    table = frame_of(
        {"place": "Chicago", "series": "rain", "date": "2020-01-01", "value": 1, "known_from": "2020-01-01"}
    )
    assert read_series(table, OPTIONS).rows["series"].to_pylist() == ["weather_Chicago_rain"]


def test_daily_option_figures_become_series_and_chains_stay_quotes():
    day = frame_of({"ticker": "A", "known_from": "2020-01-03", "iv30": "0.3", "skew": "", "put_volume": 10})
    read = read_option_days(day, OPTIONS)
    assert sorted(read.rows["series"].to_pylist()) == ["iv30", "put_volume"]
    assert {str(one)[:10] for one in read.rows["period"].to_pylist()} == {"2020-01-03"}
    quote = {"symbol": "A", "quoted_at": "2020-01-03T16:00-05:00", "expiry": "2020-02-21", "strike": 100, "right": "C"}
    bad = ({}, {"right": "x"}, {"strike": -1}, {"bid": -2.0}, {"expiry": "never"}, {"symbol": ""})
    chain = read_chain(frame_of(*(quote | {"bid": 1.0} | one for one in bad)), OPTIONS)
    assert chain.rows["right"].to_pylist() == ["call"]
    assert chain.refused.counts() == {"unusable_quote": 4, "no_name": 1}


def test_texts_keep_emoji_markup_and_edits_and_refuse_scores_out_of_range():
    text = {"published_at": "2025-05-10T00:00Z", "ticker": "A", "headline": "<b>Profit</b> 🚀", "id": "1"}
    edit = {"headline": "Loss", "updated_at": "2025-05-11T09:00-04:00"}
    changes = ({}, edit, {"score": 1.5}, {"headline": ""}, {"published_at": ""}, {"headline": "x" * 2**20, "id": ""})
    read = read_text(frame_of(*(text | one for one in changes)), OPTIONS)
    assert read.rows["text"].to_pylist()[:2] == ["<b>Profit</b> 🚀", "Loss"] and read.rows.num_rows == 3
    assert [one.hour for one in read.rows["known_from"].to_pylist()[:2]] == [0, 13]
    assert len(read.rows["id"][2].as_py()) == 32
    assert read.refused.counts() == {"no_publication_time": 1, "score_out_of_range": 1, "no_text": 1}
    with pytest.raises(DataError, match="column kind has rumour"):
        read_text(frame_of(text | {"kind": "rumour"}), OPTIONS)


@pytest.mark.parametrize(("late", "expected"), [("", 1), (None, 1), ("2025-06-03T10:00Z", 1), ("soon", 0), (1.7e9, 0)])
def test_an_edit_or_a_delivery_at_a_time_that_cannot_be_read_does_not_count_from_before_it(late, expected):
    quote = {"symbol": "A", "quoted_at": "2025-06-02T15:45-04:00", "expiry": "2025-06-20", "strike": 9.0, "right": "c"}
    text = {"published_at": "2025-06-02T15:45-04:00", "text": "Profit rises"}
    found = (
        read_chain(frame_of(quote | {"known_from": late}), OPTIONS),
        read_text(frame_of(text | {"updated_at": late}), OPTIONS),
    )
    for one in found:
        assert one.rows.num_rows == expected
        assert one.refused.counts() == ({} if expected else {"no_publication_time": 1})


def test_events_may_lie_ahead_but_not_their_announcement():
    row = {"event": "FOMC", "at": "2030-01-29T14:00-05:00", "known_from": "2025-06-01"}
    read = read_events(frame_of(row, row | {"known_from": "2029-06-01"}), OPTIONS)
    assert read.rows.num_rows == 1 and read.refused.counts() == {"future": 1}


def test_events_that_became_known_after_they_took_place_are_reported():
    row = {"event": "DIVIDEND", "at": "2025-03-05T14:00Z", "known_from": "2025-03-05T14:00Z"}
    late = row | {"known_from": "2025-03-09T12:00Z"}
    on_day, future = row | {"at": "2025-03-05", "known_from": "2025-03-05"}, late | {"known_from": "2050-01-01"}
    read = read_events(frame_of(row, late, on_day, future), OPTIONS)
    assert read.lines == ("1 event known only after taking place: past from then on, never coming",)
    assert read.rows.num_rows == 3 and read_events(frame_of(row, on_day), OPTIONS).lines == ()


@pytest.mark.parametrize("timezone", [None, "America/New_York", "Asia/Tokyo"])
def test_an_event_of_a_day_takes_place_on_that_day(timezone):
    options = ReadingOptions("mine", OPTIONS.now, timezone)
    rows = read_events(frame_of({"event": "FOMC", "at": "2025-03-05", "known_from": "2025-01-01"}), options).rows
    dates = np.array(["2025-03-03", "2025-03-04", "2025-03-05", "2025-03-06"], "datetime64[ns]")
    closes = dates + np.timedelta64(21, "h")
    (data,) = KnownData.from_frames(events=rows.to_pandas()).tables[""]
    assert data.at(closes, dates)[:3, 0].tolist() == [0.0, 1.0, 1.0], "the next weekday's event, and later today's"
    assert np.isnan(data.at(closes, dates)[3, 0]), "it is over"


def test_names_in_camel_case_are_those_with_underscores():
    frame = frame_of({"publishedAt": "2020-01-01", "updatedAt": "2020-01-05", "title": "up", "id": "a"})
    read = read_text(frame, OPTIONS)
    assert read.rows["known_from"][0].as_py().day == 6, "an edit counts from its own time"
    with pytest.raises(DataError, match="columns 'PublishedOn, title'"):
        read_text(frame_of({"PublishedOn": "2020-01-01", "title": "up"}), OPTIONS)


@pytest.mark.parametrize(
    ("cell", "symbols"),
    [
        (["A", "B", "A"], ["A", "B"]),
        ([], [""]),
        (None, [""]),
        ("", [""]),
        ("A, B;C", ["A", "B", "C"]),
        ("['A', 'B']", ["A", "B"]),
        ("BRK.B", ["BRK.B"]),
    ],
)
def test_a_text_of_several_symbols_is_a_row_of_each(cell, symbols):
    other = {"published_at": "2020-01-02", "text": "down", "tickers": "Z"}
    frame = frame_of({"published_at": "2020-01-01", "text": "up", "tickers": cell}, other)
    read = read_text(frame, OPTIONS)
    assert read.rows["symbol"].to_pylist() == [*symbols, "Z"]
    assert read.rows["text"].to_pylist() == ["up"] * len(symbols) + ["down"] and not len(read.refused)


def test_a_column_of_numbers_for_each_series_is_read_by_its_name():
    frame = frame_of(
        {"observation_date": "2020-01-01", "UNRATE": "3.5", "GDP": "1"},
        {"observation_date": "2020-02-01", "UNRATE": "3.6", "GDP": "."},
        {"observation_date": "2020-03-01", "UNRATE": "", "GDP": ""},
    )
    read = read_series(frame, OPTIONS)
    rows = list(zip(read.rows["series"].to_pylist(), read.rows["value"].to_pylist(), strict=True))
    assert rows == [("UNRATE", 3.5), ("UNRATE", 3.6), ("GDP", 1.0)] and not len(read.refused)
    with pytest.raises(DataError, match="missing: value"):
        read_series(frame_of({"date": "2020-01-01", "UNRATE": "3.5", "note": "good"}), OPTIONS)


@pytest.mark.parametrize(("months", "least"), [(1, 31), (3, 92), (12, 366)])
def test_a_lag_that_ends_before_the_period_is_refused(months, least):
    first = pd.Timestamp("2018-01-01")
    rows = [{"date": str(first + pd.DateOffset(months=months * i))[:10], "value": i, "series": "X"} for i in range(6)]

    def read(lag: int):
        return read_series(frame_of(*rows), ReadingOptions("mine", OPTIONS.now, lag_days={"X": lag}))

    with pytest.raises(DataError, match=f"at least {least}"):
        read(least - 1)
    assert read(least).rows.num_rows == 6

"""A bar reads what was published by the close of its own exchange: known answers of real releases."""

import numpy as np
import pandas as pd
import pytest

from configs.data import ContextConfig
from configs.errors import DataError
from features.alternative.instants import read_instants
from features.alternative.lags import fallback_lag
from features.alternative.vintages import in_order, revised, vintage_features
from features.bars.decisions import decision_times
from features.bars.sessions import session_closes, sessions_between
from features.context import MarketContext

NEW_YORK, TOKYO = (
    sessions_between(name, np.datetime64("2019-06-03"), np.datetime64("2020-06-30")).astype("datetime64[ns]")
    for name in ("XNYS", "XTKS")
)


def series(*rows: tuple[str, float, str | None], name: str = "X") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["date", "value", "known_from"]).assign(series=name)
    return frame.drop(columns="known_from") if frame["known_from"].isna().all() else frame


def reads(frame: pd.DataFrame, bar: str, dates: np.ndarray = NEW_YORK, **lag_days: int) -> float:
    """Return the newest value that a bar knows; NaN if there is none."""
    name = frame["series"].iloc[0]
    config = ContextConfig(kinds={name: "level"}, lag_days=lag_days)
    known = MarketContext.from_frame(frame, config).at(dates)
    return float(np.exp(known[dates == np.datetime64(bar, "ns")][0, 0]))


CPI = series(("2019-12-01", 258.444, "2020-01-14T08:30-05:00"), ("2020-01-01", 258.820, "2020-02-13T08:30-05:00"))


def test_a_release_before_the_open_is_known_on_its_day_in_new_york_but_not_in_tokyo():
    assert reads(CPI, "2020-02-12") == pytest.approx(258.444)
    assert reads(CPI, "2020-02-13") == pytest.approx(258.820)
    assert reads(CPI, "2020-02-13", TOKYO) == pytest.approx(258.444)
    assert reads(CPI, "2020-02-14", TOKYO) == pytest.approx(258.820)


def test_without_publication_times_well_known_series_wait_for_their_release_and_count_as_revised():
    rates = series(("2020-01-01", 1.55, None), ("2020-02-01", 1.58, None), ("2020-03-01", 0.65, None), name="FEDFUNDS")
    assert reads(rates, "2020-03-10") == pytest.approx(1.58)
    assert MarketContext.from_frame(rates, ContextConfig(kinds={"FEDFUNDS": "level"})).revised == ("FEDFUNDS",)
    assets = series(("2020-03-11", 4.312, None), ("2020-03-18", 4.668, None), name="WALCL")
    assert reads(assets, "2020-03-19") == pytest.approx(4.312)
    assert reads(assets, "2020-03-20") == pytest.approx(4.668)
    assert (fallback_lag("UST_10year"), fallback_lag("DGS3MO"), fallback_lag("GDP")) == (1, 1, 125)
    published = series(("2020-03-11", 4.312, "2020-03-12T16:30-04:00"), ("2020-03-18", 4.668, "2020-03-19T16:30-04:00"))
    assert [reads(published, day) for day in ("2020-03-19", "2020-03-20")] == pytest.approx([4.312, 4.668])
    vix = series(("2020-03-13", 57.83, None), ("2020-03-16", 82.69, None), name="VIX")
    assert [reads(vix, day) for day in ("2020-03-16", "2020-03-17")] == pytest.approx([57.83, 82.69])
    timed = series(("2020-03-13", 57.83, "2020-03-13T16:15-04:00"), ("2020-03-16", 82.69, "2020-03-16T16:15-04:00"))
    assert [reads(timed, day) for day in ("2020-03-16", "2020-03-17")] == pytest.approx([57.83, 82.69])


def test_other_series_are_refused_until_their_lag_is_given():
    frame = series(("2020-01-01", 1.0, None), name="MINE")
    with pytest.raises(DataError, match=r"'MINE' has no publication times.*lag_days\.MINE=DAYS"):
        reads(frame, "2020-03-10")
    assert np.isnan(reads(frame, "2020-01-10", MINE=30)) and reads(frame, "2020-01-31", MINE=30) == pytest.approx(1.0)


def test_claims_are_revised_a_week_later():
    claims = series(
        ("2020-03-14", 281_000, "2020-03-19T08:30-04:00"),
        ("2020-03-21", 3_283_000, "2020-03-26T08:30-04:00"),
        ("2020-03-21", 3_307_000, "2020-04-02T08:30-04:00"),
    )
    found = [reads(claims, f"2020-{day}") for day in ("03-25", "03-26", "04-01", "04-02")]
    assert found == pytest.approx([281_000, 3_283_000, 3_283_000, 3_307_000])


def test_sentiment_is_read_from_the_day_of_its_release():
    sentiment = series(("2020-03-01", 95.9, "2020-03-13T10:00-04:00"), ("2020-03-01", 89.1, "2020-03-27T10:00-04:00"))
    assert [reads(sentiment, f"2020-03-{day}") for day in (16, 26, 27)] == pytest.approx([95.9, 95.9, 89.1])


def test_a_cut_on_sunday_is_first_seen_on_monday():
    rate = series(("2020-03-04", 1.75, "2020-03-03T10:00-05:00"), ("2020-03-16", 0.25, "2020-03-15T17:00-04:00"))
    assert [reads(rate, f"2020-03-{day}") for day in (13, 16)] == pytest.approx([1.75, 0.25])


def test_after_an_early_close_and_after_hours_news_belongs_to_the_next_session():
    early = series(("2019-11-29", 2.0, "2019-11-29T14:00-05:00"))
    assert np.isnan(reads(early, "2019-11-29")) and reads(early, "2019-12-02") == pytest.approx(2.0)
    filing = series(("2020-05-01", 2.0, "2020-05-01T16:21:59-04:00"))
    assert np.isnan(reads(filing, "2020-05-01")) and reads(filing, "2020-05-04") == pytest.approx(2.0)
    day_only = series(("2020-05-01", 2.0, "2020-05-01"))
    assert np.isnan(reads(day_only, "2020-05-01")) and reads(day_only, "2020-05-04") == pytest.approx(2.0)


def test_rows_without_a_publication_time_next_to_others_are_not_used():
    frame = series(
        ("2019-12-01", 3.0, "2020-01-14T08:30-05:00"), ("2020-01-01", 4.0, None), ("2020-02-01", 5.0, "soon")
    )
    assert reads(frame, "2020-03-10") == pytest.approx(3.0)


def test_closes_are_those_of_the_exchange_and_unknown_hours_use_nothing_of_the_day():
    days = np.array(["2019-11-28", "2019-11-29", "2020-02-13"], "datetime64[ns]")
    assert session_closes("XNYS", days).astype(str).tolist() == [
        "2019-11-28T00:00:00.000000000",
        "2019-11-29T18:00:00.000000000",
        "2020-02-13T21:00:00.000000000",
    ]
    assert (decision_times(NEW_YORK) > NEW_YORK).all() and (decision_times(TOKYO) > TOKYO).all()
    weekdays = np.busday_offset("2019-01-01", np.arange(300), roll="forward").astype("datetime64[ns]")
    for unknown in (NEW_YORK[:20], weekdays, NEW_YORK[::5]):
        assert (decision_times(unknown) == unknown).all()
    daily = np.arange("2019-01-01", "2020-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
    assert (decision_times(daily) - daily == np.timedelta64(24 * 3600 * 10**9 - 1, "ns")).all()


DAY_FIRST = pd.Series(["01/05/2012", "1/5/2012 10:00", "01/05/2012 10:00-04:00", "2012-05-01T10:00Z", "", "soon"])


@pytest.mark.parametrize("date_format", ["%d/%m/%Y", "%d/%m/%Y %H:%M"])
def test_a_format_reads_dates_with_and_without_times_and_leaves_others_as_they_are(date_format):
    read = read_instants(DAY_FIRST, "known_from", "America/New_York", date_format)
    assert read.utc[:4].astype("datetime64[m]").astype(str).tolist() == [
        "2012-05-02T04:00",
        "2012-05-01T14:00",
        "2012-05-01T14:00",
        "2012-05-01T10:00",
    ], "a day counts from its end in New York"
    assert read.is_read.tolist() == [True] * 4 + [False] * 2


@pytest.mark.parametrize(
    ("text", "date_format", "at"),
    [
        ("01.05.12", "%d.%m.%y", "2012-05-02T00:00"),
        ("05/01/2012", "%m/%d/%Y", "2012-05-02T00:00"),
        ("1 May 2012", "%d %b %Y", "2012-05-02T00:00"),
        ("1 May 2012 14:30Z", "%d %b %Y", "2012-05-01T14:30"),
        ("05/01/2012 02:30 PM", "%m/%d/%Y %I:%M %p", "2012-05-01T14:30"),
        ("01/05/2012T143000+0200", "%d/%m/%YT%H%M%S%z", "2012-05-01T12:30"),
    ],
)
def test_formats_are_those_of_bars(text, date_format, at):
    assert str(read_instants(pd.Series([text]), "at", "UTC", date_format).utc[0])[:16] == at


def test_times_need_a_zone_and_days_count_from_their_end():
    given = pd.Series(["2020-02-13T08:30:00-05:00", "2020-02-13", "20200213", None, "soon", "20200213T133000Z"])
    found = read_instants(given, "known_from")
    assert found.is_read.tolist() == [True, True, True, False, False, True]
    assert found.utc[[0, 1, 2, 5]].astype("datetime64[m]").astype(str).tolist() == [
        "2020-02-13T13:30",
        "2020-02-14T00:00",
        "2020-02-14T00:00",
        "2020-02-13T13:30",
    ]
    with pytest.raises(DataError, match=r"'2020-02-13 08:30' names no zone.*--timezone"):
        read_instants(pd.Series(["2020-02-13 08:30"]), "known_from")
    local = read_instants(pd.Series(["2020-11-01 01:30"]), "published_at", "America/New_York").utc
    assert str(local[0].astype("datetime64[m]")) == "2020-11-01T06:30"  # the second of two such hours
    for wrong in ("01.05.2012", "05/01/2012 10:00", "5/1/12 10:00Z"):
        with pytest.raises(DataError, match="does not say which number is the month; expected such as 2020-02-13"):
            read_instants(pd.Series([wrong]), "published_at", "UTC")
        with pytest.raises(DataError, match="is not written as --date-format %Y/%d/%m says"):
            read_instants(pd.Series([wrong]), "published_at", "UTC", "%Y/%d/%m")
    others = pd.Series(["2012-05", "10:00", "May 2012", "2012-05-01T10:00 EST", "1335866400", "2012-05-01 10:00+05"])
    read = read_instants(others, "published_at", "UTC")
    assert read.is_read.tolist() == [False] * 5 + [True] and str(read.utc[5])[:16] == "2012-05-01T05:00"
    with pytest.raises(DataError, match="timezone 'Mars' is unknown"):
        read_instants(given, "known_from", "Mars")


@pytest.mark.parametrize("kind", ["level", "price", "rate"])
def test_both_ways_to_compute_features_agree(kind):
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(0.0, 0.1, 200))
    period = np.arange("2015-01-01", "2015-07-20", dtype="datetime64[D]").astype("datetime64[ns]")
    np.testing.assert_allclose(revised(period, x, 0, kind), in_order(x, kind), atol=1e-12)


def test_a_revision_of_an_old_period_changes_the_window_from_then_on():
    period = pd.date_range("2020-01-01", periods=4, freq="MS").to_numpy("datetime64[ns]")
    known = period + np.timedelta64(40, "D")
    late = known[-1] + np.timedelta64(1, "D")
    found_at, features = vintage_features(
        np.append(period, period[2]), np.append(known, late), np.array([1.0, 2.0, 4.0, 8.0, 5.0]), "rate"
    )
    assert found_at[-1] == late
    assert features[3:, 0].tolist() == [4.0, 3.0]

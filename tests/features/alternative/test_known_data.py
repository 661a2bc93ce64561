"""As-of joins of alternative data: causal to the byte, per symbol, with ages, and scheduled events ahead."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.data import ContextConfig
from features.alternative.known import KnownData
from features.bars.decisions import decision_times
from features.bars.sessions import sessions_between
from features.context import MarketContext

DATES = sessions_between("XNYS", np.datetime64("2019-01-02"), np.datetime64("2019-12-31")).astype("datetime64[ns]")
START = pd.Timestamp("2019-01-01", tz="UTC")


def series(*rows: tuple[str, str, int, float, float]) -> pd.DataFrame:
    """Return rows of ``symbol, series, period`` and ``known_from`` in days since the start, and the value."""
    frame = pd.DataFrame(rows, columns=["symbol", "series", "period", "known_from", "value"])
    period = START.tz_localize(None) + pd.to_timedelta(frame["period"], unit="D")
    return frame.assign(period=period, known_from=START + pd.to_timedelta(frame["known_from"], unit="D"))


ROW = st.tuples(
    st.sampled_from(["", "A", "B"]),
    st.sampled_from(["iv30", "CPIAUCSL", "X"]),
    st.integers(0, 30),
    st.floats(0.0, 360.0),
    st.floats(0.1, 9.0),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, max_size=60), st.lists(ROW, min_size=1, max_size=8), st.floats(0.0, 360.0))
def test_a_row_added_or_revised_later_leaves_every_earlier_feature_byte_identical(rows, later, instant):
    every = [("", "iv30", 0, 0.0, 1.0), ("A", "X", 0, 0.0, 1.0), ("A", "CPIAUCSL", 0, 0.0, 1.0), *rows]
    late = [(*row[:3], max(row[3], instant) + 1e-3, row[4]) for row in later]
    before = decision_times(DATES) <= np.datetime64((START + pd.Timedelta(days=instant)).tz_localize(None))
    first, second = (KnownData.from_frames(series(*some)) for some in (every, [*late, *every]))
    for symbol in ("A", "B"):
        old, new = (dict(zip(d.columns, d.at(symbol, DATES).T, strict=True)) for d in (first, second))
        for name, values in new.items():
            if name in old:
                assert values[before].tobytes() == old[name][before].tobytes()
            else:
                assert np.isnan(values[before]).all()
        assert set(old) <= set(new)


def test_a_symbol_reads_its_own_rows_and_those_of_the_market_with_their_age():
    data = KnownData.from_frames(
        series(("A", "iv30", 0, 2.5, 0.3), ("", "X", 0, 1.5, 4.0), ("", "X", 1, 2.5, 5.0), ("", "iv30", 0, 1.5, 0.2))
    )
    a, b = (dict(zip(data.columns, data.at(symbol, DATES).T, strict=True)) for symbol in "AB")
    assert np.exp(a["options_iv30_log"][1]) == pytest.approx(0.3) and np.isnan(b["options_iv30_log"]).all()
    assert np.exp(b["options_market_iv30_log"][1]) == pytest.approx(0.2)
    assert a["macro_x_change_1"][1] == 1.0 == b["macro_x_change_1"][1]
    assert a["options_iv30_age"][1] == pytest.approx((21 - 12) / 24)
    assert np.isnan(a["options_iv30_log"][-1]) and np.isnan(a["options_iv30_age"][-1]), "ten days old is gone"
    assert np.isnan(a["options_iv30_log"][0]), "known at noon of the next day"


def test_events_that_become_known_later_hide_no_other_event_before():
    def found(*rows: tuple[str, str]) -> pd.DataFrame:
        at, known = (pd.to_datetime(column) for column in zip(*rows, strict=True))
        events = pd.DataFrame({"symbol": "", "event": "E", "at": at, "known_from": known})
        data = KnownData.from_frames(events=events)
        return pd.DataFrame(data.at("A", DATES), DATES, data.columns)

    known = (("2019-03-20T18:00Z", "2019-01-05T12:00Z"), ("2019-09-20T18:00Z", "2019-01-05T12:00Z"))
    later = [(f"2019-04-{day:02d}T18:00Z", "2019-06-01T12:00Z") for day in range(1, 13)]
    again = ("2019-03-20T18:00Z", "2019-06-01T12:00Z")  # announced twice
    before, after = (one[:"2019-05-31"] for one in (found(*known), found(*known, again, *later)))
    pd.testing.assert_frame_equal(before, after)
    assert (
        before["events_e_days_until"]["2019-01-07":].notna().all()
        and before["events_e_days_since"]["2019-03-20":].notna().all()
    )


def test_events_look_ahead_only_to_what_had_been_announced():
    at = pd.to_datetime(["2019-03-20T18:00Z", "2019-05-01T18:00Z"])
    known = pd.to_datetime(["2019-01-15T12:00Z", "2019-04-01T12:00Z"])
    frame = pd.DataFrame({"symbol": "", "event": "FOMC", "at": at, "known_from": known})
    data = KnownData.from_frames(events=frame)
    found = pd.DataFrame(data.at("A", DATES), DATES, data.columns)
    day = found.loc
    assert found["events_fomc_next_1"][:"2019-01-14"].isna().all(), "not announced"
    assert day["2019-03-13", "events_fomc_next_5"] == 1.0 and day["2019-03-12", "events_fomc_next_5"] == 0.0
    assert day["2019-03-19", "events_fomc_next_1"] == 1.0 and day["2019-03-18", "events_fomc_next_1"] == 0.0
    assert np.isnan(day["2019-03-20", "events_fomc_next_1"]), "over by the close, and the next is not announced"
    assert day["2019-03-20", "events_fomc_days_since"] == pytest.approx(2 / 24)
    assert 0.0 < day["2019-04-30", "events_fomc_days_until"] < 1.0
    assert found["events_fomc_days_since"].max() == 60.0


def test_an_event_that_was_recorded_late_is_never_a_coming_one_and_a_past_one_from_then_on():
    frame = pd.DataFrame(
        {
            "symbol": "",
            "event": "HALT",
            "at": pd.to_datetime(["2019-03-20T18:00Z", "2019-05-15T18:00Z"]),
            "known_from": pd.to_datetime(["2019-03-27T12:00Z", "2019-05-15T18:00Z"]),
        }
    )
    data = KnownData.from_frames(events=frame)
    found = pd.DataFrame(data.at("A", DATES), DATES, data.columns)
    coming, since = found.drop(columns="events_halt_days_since"), found["events_halt_days_since"]
    assert coming.isna().all(axis=None), "no feature looks ahead to it, at no bar"
    assert since[:"2019-03-26"].isna().all(), "not before it was recorded"
    assert since["2019-03-27"] == pytest.approx(7 + 2 / 24), "counted from when it took place"
    assert since["2019-05-15"] == pytest.approx(2 / 24)


def test_a_context_with_alternative_data_is_restored_from_its_arrays():
    data = KnownData.from_frames(series(("A", "iv30", 0, 1.5, 0.3), ("", "X", 0, 1.5, 4.0)))
    context = MarketContext((), (), alternative=data)
    again = MarketContext.from_arrays({k: v.copy() for k, v in context.to_arrays().items()})
    assert again.all_columns == context.all_columns
    np.testing.assert_array_equal(again.of("A", DATES), context.of("A", DATES))
    frame = pd.DataFrame({"date": DATES, "series": "VIX", "value": 20.0 + np.arange(len(DATES))})
    with_vix = MarketContext.from_frame(frame, ContextConfig(kinds={"VIX": "level"}))
    for one, restored in ((context, again), (with_vix, MarketContext.from_arrays(with_vix.to_arrays()))):
        hashes = [
            which.digest(day) for which in (one, restored) for day in (DATES[-1], DATES[0] - np.timedelta64(9, "D"))
        ]
        assert hashes[:2] == hashes[2:] and hashes[0] != hashes[1]

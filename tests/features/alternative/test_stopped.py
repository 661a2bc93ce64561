"""Sources that have stopped are named by their own cadence, and only by what was known."""

import numpy as np
import pandas as pd
import pytest

from features.alternative.known import KnownData
from features.alternative.stopped import has_stopped, stopped_sources, usual_gap

NS = "datetime64[ns]"
MONTHLY = pd.date_range("2018-01-13", periods=24, freq="MS").to_numpy(NS) + np.timedelta64(43, "D")
DAILY = pd.bdate_range("2019-01-01", "2019-12-30").to_numpy(NS)


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


@pytest.mark.parametrize(
    ("times", "quiet", "stopped"),
    [(MONTHLY, 60, 63), (DAILY, 6, 7), (MONTHLY[:4], 60, 63), (np.repeat(DAILY, 3), 6, 7)],
)
def test_a_source_may_be_silent_for_twice_its_usual_distance(times, quiet, stopped):
    assert not has_stopped(times, times[-1] + np.timedelta64(quiet, "D"))
    assert has_stopped(times, times[-1] + np.timedelta64(stopped, "D"))


def test_too_few_rows_have_no_usual_distance():
    assert usual_gap(MONTHLY[:3]) is None and not has_stopped(MONTHLY[:3], day("2030-01-01"))
    assert usual_gap(np.repeat(DAILY[:1], 50)) is None, "a file that was published as a whole"
    assert not has_stopped(DAILY[:0], day("2030-01-01"))


def known(symbol: str, name: str, times: np.ndarray, *, kind: str = "series") -> pd.DataFrame:
    at = pd.DatetimeIndex(times).tz_localize("UTC")
    if kind == "series":
        return pd.DataFrame(
            {"symbol": symbol, "series": name, "period": times, "value": np.arange(len(times)) + 1.0, "known_from": at}
        )
    return pd.DataFrame({"symbol": symbol, "event": name, "at": at, "known_from": at[0] - pd.Timedelta(days=30)})


def test_symbols_are_judged_at_their_own_last_bar_and_named_together():
    until = [known(name, "iv30", DAILY[:count]) for name, count in (("A", 200), ("B", 210), ("C", 259))]
    data = KnownData.from_frames(pd.concat([*until, known("", "CPIAUCSL", MONTHLY[:20])]))
    ends = {"A": day("2019-12-30"), "B": day("2019-12-30"), "C": day("2019-12-30"), "D": day("2019-12-30")}
    found = {one.name: one for one in stopped_sources(data, ends)}
    assert found["options_iv30"].symbols == ("A", "B") and found["options_iv30"].newest == str(DAILY[209])[:10]
    line = "source options_iv30 of A, B has stopped: its newest row is of 2019-10-21"
    assert line in str(found["options_iv30"])
    assert found["macro_cpiaucsl"].symbols == ("",) and " of " not in str(found["macro_cpiaucsl"]).split(" has ")[0]
    assert stopped_sources(data, dict.fromkeys(ends, day("2019-09-20"))) == [], "later rows are not known"
    assert stopped_sources(data, {"C": day("2019-09-20")}) == [] and stopped_sources(data, {}) == []


def test_events_have_stopped_when_none_is_announced_any_more():
    meetings = pd.date_range("2018-01-31T19:00", periods=12, freq="45D").to_numpy(NS)
    data = KnownData.from_frames(events=known("", "FOMC", meetings, kind="event"))
    assert stopped_sources(data, {"A": meetings[-1] + np.timedelta64(80, "D")}) == []
    assert stopped_sources(data, {"A": meetings[-4]}) == [], "later ones are announced"
    (found,) = stopped_sources(data, {"A": meetings[-1] + np.timedelta64(95, "D")})
    assert found.name == "events_fomc"

"""Vintages of ALFRED, from its answers through the lake to the bars that may use them."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from configs.errors import ConfigError, DataError
from features.alternative.fetch.release_times import known_from
from features.alternative.known import KnownData
from features.bars.sessions import sessions_between

NAMES = {"CPI": "Consumer Price Index", "ICSA": "Unemployment Insurance Weekly Claims Report", "DAILY": "Other"}
VALUES = {  # of each series, what was published when
    "CPI": [
        ("2019-12-01", "2020-01-14", "258.444"),
        ("2019-12-01", "2020-02-11", "258.203"),
        ("2020-01-01", "2020-02-13", "258.820"),
        ("2020-02-01", "2020-03-11", "."),
    ],
    "ICSA": [
        ("2020-03-14", "2020-03-19", "281000"),
        ("2020-03-21", "2020-03-26", "3283000"),
        ("2020-03-21", "2020-04-02", "3307000"),
    ],
}


@pytest.fixture
def fred(standin):
    """A stand-in of FRED's interface: real-time periods are cut at those asked for, as the real ones are."""
    series = {name: list(rows) for name, rows in VALUES.items()}

    def refused(query):
        if query["series_id"] not in series:
            return 400, {}, {"error_code": 400, "error_message": "Bad Request.  The series does not exist."}
        return None

    def vintages_of(name):
        return sorted({when for _, when, _ in series[name]})

    def release(query):
        return refused(query) or {"releases": [{"id": 1, "name": NAMES[query["series_id"]]}]}

    def vintage_dates(query):
        found = vintages_of(query["series_id"]) if not refused(query) else []
        first = int(query["offset"])
        page = found[first : first + 1_500]
        return refused(query) or {"count": len(found), "vintage_dates": page}

    def observations(query):
        first, last = query["realtime_start"], query["realtime_end"]
        vintages = [one for one in vintages_of(query["series_id"]) if first <= one <= last]
        if len(vintages) > 2_000:
            return 400, {}, {"error_message": "This exceeds the maximum number of vintage dates allowed (2000)."}
        found = []
        by_date = {}
        for date, when, value in series[query["series_id"]]:
            by_date.setdefault(date, []).append((when, value))
        for date, versions in sorted(by_date.items()):
            if not query.get("observation_start", "") <= date <= query.get("observation_end", "9999"):
                continue
            ends = [when for when, _ in versions[1:]] + ["9999-12-32"]
            for (when, value), end in zip(versions, ends, strict=True):
                if when <= last and end > first:
                    found.append({"realtime_start": max(when, first), "date": date, "value": value})
        offset = int(query["offset"])
        return {"count": len(found), "observations": found[offset : offset + 1_000]}

    for name, route in (("release", release), ("vintagedates", vintage_dates), ("observations", observations)):
        standin.routes[f"/fred/series/{name}"] = route
    return series


def reads(lake, name, *bars):
    """Return the newest value of a market series that bars of New York know."""
    end = np.datetime64(bars[-1])
    dates = sessions_between("XNYS", end - np.timedelta64(400, "D"), end).astype("datetime64[ns]")
    data = KnownData.from_frames(lake.read("series", ""), kinds={name: "level"})
    found = data.at("ANY", dates)[:, data.columns.index(f"macro_{name.lower()}_log")]
    return [float(np.exp(found[dates == np.datetime64(bar, "ns")][0])) for bar in bars]


def test_bars_read_what_had_been_released(fetch, fred):
    found = fetch("fred", "CPI", "ICSA")
    assert found.added == {"series": 6} and not found.missing and not len(found.refused)
    assert reads(fetch.lake, "CPI", "2020-02-10", "2020-02-11", "2020-02-12", "2020-02-13") == pytest.approx(
        [258.444, 258.203, 258.203, 258.820]
    )
    claims = reads(fetch.lake, "ICSA", "2020-03-25", "2020-03-26", "2020-04-01", "2020-04-02")
    assert claims == pytest.approx([281_000, 3_283_000, 3_283_000, 3_307_000])
    stored = fetch.lake.read("series", "")
    assert set(stored["source"]) == {"fred"} and (stored["retrieved_at"] == pd.Timestamp("2026-06-01T12:00Z")).all()
    again = fetch("fred", "CPI", "ICSA", now="2026-06-02T12:00Z")
    assert again.added == {"series": 0} and not len(again.refused)
    assert fetch.lake.read("series", "").equals(stored), "a second fetch changes no row"


def test_more_vintages_than_a_request_may_have_are_joined_without_repeats(fetch, fred, standin):
    days = pd.date_range("2010-01-01", periods=4_500, freq="D").strftime("%Y-%m-%d")
    fred["DAILY"] = [(day, later, str(i)) for i, (day, later) in enumerate(pairwise(days))]
    fred["DAILY"] += [(days[0], days[2_500], "7"), (days[0], days[4_400], "0")]
    fred["DAILY"].sort(key=lambda row: row[:2])
    found = fetch("fred", "DAILY")
    asked = [one.query for one in standin.asked if one.path.endswith("observations")]
    assert len({one["realtime_start"] for one in asked}) == 3
    assert found.added == {"series": len(fred["DAILY"])}, "no value is repeated at the edge of a request"
    stored = fetch.lake.read("series", "")
    expected = known_from("Other", [when for _, when, _ in fred["DAILY"]])
    assert sorted(stored["known_from"]) == sorted(expected)


def test_a_release_without_a_time_of_day_counts_from_its_end_and_is_read_then(fetch, fred):
    fred["DAILY"] = [("2026-05-28", "2026-05-29", "1"), ("2026-05-29", "2026-06-01", "2")]
    assert fetch("fred", "DAILY").added == {"series": 1}
    later = fetch("fred", "DAILY", now="2026-06-02T05:00Z")
    assert later.added == {"series": 1} and not len(later.refused)
    assert str(fetch.lake.read("series", "")["known_from"].iloc[-1]) == "2026-06-02 05:00:00+00:00"


def test_times_of_day_are_those_of_the_release_and_of_the_season():
    def of(release, *days):
        return known_from(release, days).strftime("%m-%dT%H:%M").tolist()

    assert of("Consumer Price Index", "2020-02-13", "2020-07-14") == ["02-13T13:30", "07-14T12:30"]
    assert of("Consumer Price Index", "1990-02-13") == ["02-14T06:00"], "before the table begins: the end of the day"
    assert of("H.4.1 Factors Affecting Reserve Balances", "2020-03-19") == ["03-19T20:30"]
    assert of("FOMC Press Release", "2020-03-16", "2005-02-02") == ["03-16T18:00", "02-03T06:00"]
    assert of("Surveys of Consumers", "2020-03-27") == ["03-27T14:00"]


def test_an_unknown_series_is_reported_and_the_others_are_stored(fetch, fred):
    found = fetch("fred", "NOSUCH", "ICSA", "CPI")
    assert found.added == {"series": 6}
    assert list(found.missing) == ["NOSUCH"] and "The series does not exist" in found.missing["NOSUCH"]
    with pytest.raises(DataError, match="nothing was fetched: NOSUCH: fred answers with status 400"):
        fetch("fred", "NOSUCH")


def test_a_failure_in_the_middle_loses_nothing_and_is_made_good_by_the_next_fetch(fetch, fred, standin):
    standin.script = [None] * 3 + [None, None] + ["broken"] * 5
    found = fetch("fred", "CPI", "ICSA")
    assert found.added == {"series": 3} and "no JSON" in found.missing["ICSA"]
    assert set(fetch.lake.read("series", "")["series"]) == {"CPI"}, "a part of the vintages is not stored"
    assert fetch("fred", "CPI", "ICSA").added == {"series": 3}
    standin.script = [None] * 3 + [401]
    found = fetch("fred", "CPI", "ICSA", "NOSUCH")
    assert "Check FRED_API_KEY" in found.missing["ICSA"] and "not requested" in found.missing["NOSUCH"]
    assert len(standin.asked) == 3 + 7 + 6 + 4, "a refused key ends the run"


def test_a_source_that_does_not_answer_is_left_after_three_series(fetch, fred, standin):
    standin.script = [None] * 3 + ["close"] * 15
    found = fetch("fred", "CPI", *(f"S{i}" for i in range(50)))
    assert found.added == {"series": 3} and len(found.missing) == 50 and len(standin.asked) == 18
    assert "not requested, as S2 failed" in found.missing["S49"]


def test_periods_are_chosen_by_days(fetch, fred):
    assert fetch("fred", "ICSA", start="2020-03-15", end="2020-03-31").added == {"series": 2}
    assert fetch("fred", "ICSA").added == {"series": 1}


def test_answers_of_another_form_are_one_error(fetch, fred, standin):
    standin.routes["/fred/series/vintagedates"] = lambda query: {"count": 2, "dates": []}
    with pytest.raises(DataError, match="the answer has no lists of equal lengths vintage_dates"):
        fetch("fred", "CPI")


def test_without_a_key_nothing_is_requested(fetch, standin, monkeypatch):
    monkeypatch.delenv("FRED_API_KEY")
    with pytest.raises(ConfigError, match=r"needs FRED_API_KEY, which is not set\. Request a free key"):
        fetch("fred", "CPI")
    assert not standin.asked

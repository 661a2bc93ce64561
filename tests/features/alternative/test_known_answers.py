"""Releases, revisions and gaps of real series as a user's file brings them, through the lake to the bars."""

import numpy as np
import pandas as pd
import pytest

from features.alternative.checks import ReadingOptions
from features.alternative.known import KnownData
from features.alternative.read_series import read_series
from features.alternative.read_texts import read_text
from features.bars.sessions import sessions_between
from features.store.alternative import AlternativeLake
from features.store.store import Store

OPTIONS = ReadingOptions("file", np.datetime64("2026-06-01", "ns"))
ROWS = (
    ("CPISA", "2019-12-01", 258.444, "2020-01-14T08:30-05:00"),
    ("CPISA", "2019-12-01", 258.203, "2020-02-11T08:30-05:00"),
    ("CPINSA", "2023-12-01", 306.746, "2024-01-11T08:30-05:00"),
    ("CPINSA", "2024-01-01", 308.417, "2024-02-13T08:30-05:00"),
    ("CPILATE", "2024-01-01", 309.685, "2024-02-13T08:30-05:00"),
    ("CPILATE", "2024-01-01", 309.794, "2025-02-12T08:30-05:00"),
    ("CPIGAP", "2025-08-01", 323.364, "2025-09-11T08:30-04:00"),
    ("CPIGAP", "2025-09-01", 324.368, "2025-10-24T08:30-04:00"),
    ("CPIGAP", "2025-11-01", 325.031, "2025-12-18T08:30-05:00"),
)


def rows(*given: tuple[str, str, float, str | None]) -> pd.DataFrame:
    return pd.DataFrame(given, columns=["series", "period", "value", "known_from"])


@pytest.fixture
def lake(tmp_path) -> AlternativeLake:
    lake = AlternativeLake(Store(tmp_path))
    lake.append("series", read_series(rows(*ROWS), OPTIONS).rows)
    return lake


def reads(lake: AlternativeLake, name: str, *bars: str) -> list[float]:
    """Return the newest value of a market series that bars of New York know."""
    end = np.datetime64(bars[-1])
    dates = sessions_between("XNYS", end - np.timedelta64(400, "D"), end).astype("datetime64[ns]")
    data = KnownData.from_frames(lake.read("series", ""), kinds={name: "level"})
    found = data.at("ANY", dates)[:, data.columns.index(f"macro_{name.lower()}_log")]
    return [float(np.exp(found[dates == np.datetime64(bar, "ns")][0])) for bar in bars]


def test_revised_seasonal_factors_are_a_second_vintage(lake):
    stored = lake.read("series", "")
    assert len(stored[(stored["series"] == "CPISA") & (stored["period"] == "2019-12-01")]) == 2
    assert reads(lake, "CPISA", "2020-02-10", "2020-02-11") == pytest.approx([258.444, 258.203])


def test_the_value_as_of_a_day_is_the_first_print_and_a_file_of_todays_values_is_flagged(lake):
    assert reads(lake, "CPILATE", "2024-05-03") == pytest.approx([309.685])
    today = read_series(rows(("CPIAUCSL", "2024-01-01", 309.794, None)), OPTIONS)
    assert today.rows["source"].to_pylist() == ["file (revised values)"] and "revised values" in today.lines[0]


def test_a_month_that_was_never_published_has_no_value(lake):
    bars = ("2025-10-23", "2025-10-24", "2025-12-17", "2025-12-18")
    assert reads(lake, "CPIGAP", *bars) == pytest.approx([323.364, 324.368, 324.368, 325.031])


def test_open_interest_of_a_day_is_known_at_the_next_open(lake):
    open_interest = rows(
        ("put_open_interest", "2024-05-01", 100.0, "2024-05-02T09:30-04:00"),
        ("put_open_interest", "2024-05-02", 200.0, "2024-05-03T09:30-04:00"),
    )
    lake.append("series", read_series(open_interest.assign(symbol="ABC"), OPTIONS).rows)
    data = KnownData.from_frames(lake.read("series", "ABC"))
    dates = sessions_between("XNYS", np.datetime64("2023-05-01"), np.datetime64("2024-05-03")).astype("datetime64[ns]")
    found = np.exp(data.at("ABC", dates)[-3:, data.columns.index("options_put_open_interest_log")])
    assert np.isnan(found[0]) and found[1:] == pytest.approx([100.0, 200.0])


def test_on_a_short_day_news_after_the_close_belongs_to_the_next_session(lake):
    times = ["2019-11-29T12:59-05:00", "2019-11-29T14:00-05:00"]
    texts = pd.DataFrame({"published_at": times, "symbol": ["EARLY", "ABC"], "text": "x"})
    lake.append("text", read_text(texts, OPTIONS).rows)
    data = KnownData.from_frames(texts=lake.read_all("text").assign(tone=0.5))
    dates = sessions_between("XNYS", np.datetime64("2019-01-02"), np.datetime64("2019-12-02")).astype("datetime64[ns]")
    age = data.columns.index("sentiment_news_age")
    early, late = (np.isfinite(data.at(symbol, dates)[-2:, age]).tolist() for symbol in ("EARLY", "ABC"))
    assert (early, late) == ([True, True], [False, True])


def test_a_filing_after_the_close_and_a_text_at_midnight_belong_to_the_next_bar(lake):
    texts = pd.DataFrame(
        {
            "published_at": ["2025-05-01T16:21:59-04:00", "2025-05-10T00:00Z"],
            "symbol": ["ABC", "BTC"],
            "text": "x",
            "kind": ["filing", "news"],
        }
    )
    lake.append("text", read_text(texts, OPTIONS).rows)
    data = KnownData.from_frames(texts=lake.read_all("text").assign(tone=0.5))
    sessions = sessions_between("XNYS", np.datetime64("2024-05-01"), np.datetime64("2025-05-02")).astype(
        "datetime64[ns]"
    )
    ages = data.at("ABC", sessions)[-2:, data.columns.index("sentiment_filing_age")]
    assert np.isnan(ages[0]) and ages[1] == pytest.approx(1.0 - (21 * 60 + 59 - 0) / 86_400)
    days = np.arange("2025-01-01", "2025-05-11", dtype="datetime64[D]").astype("datetime64[ns]")
    ages = data.at("BTC", days)[-2:, data.columns.index("sentiment_news_age")]
    assert np.isnan(ages[0]) and ages[1] == pytest.approx(1.0)

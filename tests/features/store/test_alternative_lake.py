"""The tables of alternative data: appended, never changed, and readable only as they were written."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from configs.errors import DataError, StoreError
from features.alternative.checks import ReadingOptions
from features.alternative.known import KnownData
from features.alternative.read_series import read_series
from features.alternative.schemas import SCORES, SERIES
from features.store.alternative import AlternativeLake
from features.store.store import Store

NOW = np.datetime64("2026-01-02T00:00", "ns")


def rows(*given: tuple[str, str, str, float, str]) -> pa.Table:
    frame = pd.DataFrame(given, columns=["symbol", "series", "period", "value", "known_from"])
    return read_series(frame, ReadingOptions("test", NOW)).rows


FIRST = ("", "CPI", "2020-01-01", 258.8, "2020-02-13T08:30-05:00")
OTHERS = (
    ("AAPL", "iv30", "2020-01-02", 0.3, "2020-01-02T17:00-05:00"),
    ("market", "iv30", "2020-01-02", 0.2, "2020-01-03"),
)


def test_appending_again_changes_nothing_and_a_vintage_is_added(tmp_path):
    lake = AlternativeLake(Store(tmp_path))
    assert lake.append("series", rows(FIRST, *OTHERS)).added == 3
    stamp = lake.stamp()
    assert lake.append("series", rows(FIRST, *OTHERS)).added == 0 and lake.stamp() == stamp
    vintage = ("", "CPI", "2020-01-01", 259.1, "2021-02-10T08:30-05:00")
    outcome = lake.append("series", rows(vintage, FIRST))
    assert (outcome.added, outcome.stored, len(outcome.refused)) == (1, 2, 0) and lake.stamp() != stamp
    assert lake.read("series", "")["value"].tolist() == [258.8, 259.1]
    assert lake.parts("series") == ["", "AAPL", "market"], "a symbol may be called as the market's file"
    assert len(lake.read_all("series")) == 4 and lake.read("series", "NONE").empty


def test_another_value_of_the_same_publication_is_refused_and_kept_for_inspection(tmp_path):
    lake = AlternativeLake(Store(tmp_path))
    lake.append("series", rows(FIRST))
    changed = (*FIRST[:3], 999.0, FIRST[4])
    for day in (1, 2):  # fetched again on another day
        given = rows(changed).to_pandas().assign(retrieved_at=pd.Timestamp(f"2026-01-0{day}", tz="UTC"))
        outcome = lake.append("series", pa.Table.from_pandas(given, SERIES, preserve_index=False))
        assert outcome.refused.counts() == {"revised_without_vintage": 1}
    assert lake.read("series", "")["value"].tolist() == [258.8]
    assert lake.refused().counts() == {"revised_without_vintage": 1} and "999" in lake.refused().frame["row"][0]


def test_another_spelling_of_a_stored_name_is_refused_since_both_would_be_the_same_features(tmp_path):
    lake = AlternativeLake(Store(tmp_path))
    lake.append("series", rows(FIRST))
    lower, own = ("", "cpi", *FIRST[2:]), ("AAPL", "cpi", *FIRST[2:])
    outcome = lake.append("series", rows(lower, ("", "^VIX", *FIRST[2:]), ("", "VIX", *FIRST[2:]), own, FIRST))
    assert (outcome.added, outcome.refused.counts()) == (2, {"name_taken": 2})
    assert set(lake.read("series", "")["series"]) == {"CPI", "^VIX"} and len(lake.read("series", "AAPL")) == 1
    assert set(KnownData.from_frames(lake.read_all("series")).tables) == {"", "AAPL"}
    both = pd.concat([rows(one).to_pandas() for one in (FIRST, lower)])
    with pytest.raises(DataError, match="macro_cpi of the market has the names of two series"):
        KnownData.from_frames(both)


def test_the_first_score_of_a_scorer_is_kept(tmp_path):
    lake = AlternativeLake(Store(tmp_path))
    at = pa.array([0, 10**18], pa.timestamp("ns", tz="UTC"))
    for score in (0.5, -0.5):
        names = {"text_sha256": ["a", "b"], "scorer": ["lexicon 1"] * 2, "score": [score, score], "scored_at": at}
        lake.append("scores", pa.table(names, SCORES))
    assert lake.parts("scores") == ["lexicon 1"] and lake.read("scores", "lexicon 1")["score"].tolist() == [0.5, 0.5]


@pytest.mark.slow
def test_concurrent_imports_lose_no_row(tmp_path):
    lake = AlternativeLake(Store(tmp_path))
    parts = [rows(("", "X", f"2020-01-{day:02d}", float(day), f"2020-02-{day:02d}")) for day in range(1, 21)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda part: lake.append("series", part), parts))
    assert lake.read("series", "")["value"].tolist() == list(range(1, 21))


def test_a_damaged_file_and_another_schema_are_errors(tmp_path):
    lake = AlternativeLake(Store(tmp_path))
    lake.append("series", rows(FIRST))
    (file,) = (tmp_path / "lake/alternative/series").glob("*.parquet")
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)
    with pytest.raises(StoreError, match="not a readable Parquet file"):
        lake.read("series", "")
    with pytest.raises(DataError, match="do not fit its schema"):
        lake.append("series", pa.table({"symbol": ["A"]}))

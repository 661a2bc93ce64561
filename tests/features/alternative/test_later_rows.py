"""Whatever is added, edited, announced or scored again later leaves every earlier feature byte-identical.

Through the lake's files, as a run loads them: series and their vintages, daily figures of options, events, texts with
edits, scores of a stored scorer, and quotes of chains.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.data import DataConfig, FeatureConfig
from features.alternative.checks import ReadingOptions
from features.alternative.read_series import read_events, read_series
from features.alternative.read_texts import read_chain, read_text
from features.alternative.schemas import SCORES
from features.alternative.text.clean import text_digest
from features.bars.decisions import decision_times
from features.bars.sessions import sessions_between
from features.known_source import load_known
from features.store.alternative import AlternativeLake
from features.store.store import Store

SCORER = "scorer@1"
OPTIONS = ReadingOptions("file", np.datetime64("2026-01-01", "ns"))
DATES = sessions_between("XNYS", np.datetime64("2019-01-02"), np.datetime64("2019-08-30")).astype("datetime64[ns]")
START, HOURS = datetime(2019, 1, 1, tzinfo=UTC), 240 * 24
FEATURES = FeatureConfig(use_alternative_data=True, use_sentiment=True, sentiment_scorer=SCORER)
WORDS = ("profit rose", "sales fell", "unchanged <b>🚀</b>", "x" * 5_000)

TABLES = st.sampled_from(["series", "figures", "events", "text", "scores", "chain"])
ROW = st.tuples(TABLES, st.sampled_from(["", "A"]), st.integers(0, 20), st.integers(0, HOURS), st.integers(-9, 9))


READERS = {
    "series": lambda frame: read_series(frame, OPTIONS).rows,
    "events": lambda frame: read_events(frame, OPTIONS).rows,
    "text": lambda frame: read_text(frame, OPTIONS).rows,
    "options": lambda frame: read_chain(frame, OPTIONS).rows,
}


def made(table: str, symbol: str, number: int, hour: int, value: int) -> tuple[str, dict[str, object]]:
    """Return a row that becomes known at an hour; equal numbers are vintages, edits or scores."""
    at = (START + timedelta(hours=hour)).isoformat()
    if table == "series":
        day = (START + timedelta(days=number)).date().isoformat()
        return "series", {"symbol": symbol, "series": "RATE", "period": day, "value": value, "known_from": at}
    if table == "figures":
        day = (START + timedelta(hours=hour)).date().isoformat()
        return "series", {"symbol": "A", "series": "iv30", "period": day, "value": 0.3 + value / 100, "known_from": at}
    if table == "events":
        takes_place = (START + timedelta(hours=hour + 24 * number + value)).isoformat()
        return "events", {"symbol": symbol, "event": "FOMC", "at": takes_place, "known_from": at}
    if table == "text":
        text = WORDS[number % len(WORDS)]
        return "text", {"symbol": symbol, "id": str(number), "published_at": at, "text": text, "score": value / 10}
    quote = {"symbol": "A", "quoted_at": at, "expiry": "2020-01-17", "strike": 100, "right": "c", "bid": 10 + value}
    return "options", quote


def append(lake: AlternativeLake, rows: list[tuple[str, str, int, int, int]]) -> None:
    """Add rows of all tables in the order given."""
    scores = [
        (WORDS[number % len(WORDS)], value / 10, hour) for table, _, number, hour, value in rows if table == "scores"
    ]
    if scores:
        score(lake, scores)
    found: dict[str, list[dict[str, object]]] = {}
    for table, row in (made(*one) for one in rows if one[0] != "scores"):
        found.setdefault(table, []).append(row)
    for table, some in found.items():
        lake.append(table, READERS[table](pd.DataFrame(some)))


def score(lake: AlternativeLake, scores: list[tuple[str, float, int]]) -> None:
    texts, tones, hours = zip(*scores, strict=True)
    times = [START + timedelta(hours=hour) for hour in hours]
    columns = ([text_digest(text) for text in texts], [SCORER] * len(texts), tones, times)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCORES, strict=True)]
    lake.append("scores", pa.table(arrays, schema=SCORES))


def columns_of(store: Store) -> dict[str, np.ndarray]:
    known = load_known(store, FEATURES, DataConfig())
    assert known is not None
    return dict(zip(known.columns, known.at("A", DATES).T, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, max_size=16), st.lists(ROW, min_size=1, max_size=8), st.integers(0, HOURS))
def test_rows_with_a_later_stamp_change_no_earlier_byte(folder, earlier, later, instant):
    store = Store(folder.mktemp("lake"))
    lake = AlternativeLake(store)
    score(lake, [(text, 0.1, 0) for text in WORDS])
    append(lake, [("series", "", 0, 0, 1), ("events", "", 3, 0, 0), ("text", "A", 0, 0, 1), *earlier])
    before = columns_of(store)
    append(lake, [(*row[:3], max(row[3], instant) + 1, row[4]) for row in later])
    after = columns_of(store)
    decided = decision_times(DATES) <= np.datetime64((START + timedelta(hours=instant)).replace(tzinfo=None), "ns")
    assert set(before) <= set(after)
    for name, values in after.items():
        if name in before:
            assert values[decided].tobytes() == before[name][decided].tobytes(), name
        else:
            assert np.isnan(values[decided]).all(), name

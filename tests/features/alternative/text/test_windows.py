"""Features of scored texts against a plain reference, by vintage, and unchanged by whatever becomes known later."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import DataError
from features.alternative.text.changes import text_changes
from features.alternative.text.demo import demo_headlines
from features.alternative.text.lexicon import LexiconScorer
from features.alternative.text.windows import USUAL, WINDOWS, text_columns, text_features

CLOSES = pd.bdate_range("2012-01-02", periods=130).to_numpy("datetime64[ns]") + np.timedelta64(21, "h")
COLUMNS = {name: place for place, name in enumerate(text_columns("news"))}


def rows(*items: tuple[str, str, str, float, float]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a frame of texts and their tones from ``(id, known_from, text, tone, relevance)``."""
    frame = pd.DataFrame(items, columns=["id", "known_from", "text", "tone", "relevance"])
    frame["known_from"] = pd.to_datetime(frame["known_from"], utc=True, format="ISO8601")
    return frame.assign(source="test").drop(columns="tone"), frame["tone"].to_numpy(float)


def features(frame: pd.DataFrame, tones: np.ndarray, closes: np.ndarray = CLOSES) -> np.ndarray:
    return text_features(text_changes(frame, tones), closes)


def reference(frame: pd.DataFrame, tones: np.ndarray, bar: int) -> dict[str, float]:
    """Compute counts, tone, disagreement and attention of one bar by looking at all rows known by then."""
    frame = frame.assign(tone=tones, at=frame["known_from"].dt.tz_localize(None).to_numpy("datetime64[ns]"))
    known = frame[frame["at"] <= CLOSES[bar]].sort_values("at", kind="stable")
    texts = known.groupby("id").agg(first=("at", "min"), tone=("tone", lambda some: some.iloc[-1]))
    texts["weight"] = known.groupby("id")["relevance"].agg(lambda some: some.iloc[-1]).fillna(1.0)
    start = frame["at"].min()
    out: dict[str, float] = {}
    for window in WINDOWS:
        if bar < window or CLOSES[bar - window] < start:
            continue
        inside = texts[texts["first"] > CLOSES[bar - window]]
        out[f"news_count_{window}"] = math.log1p(len(inside))
        scored = inside[inside["tone"].notna()]
        if scored["weight"].sum() > 0:
            mean = np.average(scored["tone"], weights=scored["weight"])
            out[f"news_tone_{window}"] = mean
            if len(scored) > 1:
                spread = np.average((scored["tone"] - mean) ** 2, weights=scored["weight"])
                out[f"news_disagreement_{window}"] = math.sqrt(spread)
        if bar >= USUAL and CLOSES[bar - USUAL] >= start:
            usual = (texts["first"] > CLOSES[bar - USUAL]).sum() / USUAL
            out[f"news_attention_{window}"] = math.log((len(inside) / window + 0.1) / (usual + 0.1))
    return out


def test_features_of_the_demo_equal_the_reference() -> None:
    frame = demo_headlines().to_pandas()
    recent = frame["known_from"] >= pd.Timestamp("2010-01-01", tz="UTC")
    frame = frame[(frame["symbol"] == "AAPL") & recent].reset_index(drop=True)
    tones = LexiconScorer().score(frame["text"].tolist()).tone
    tones[::7] = np.nan
    frame.loc[::5, "relevance"] = 0.5
    out = features(frame, tones)
    for bar in range(1, len(CLOSES), 16):
        expected = reference(frame.assign(relevance=frame["relevance"].astype(float)), tones, bar)
        for name, column in COLUMNS.items():
            if name.startswith("news_age") or "novelty" in name:
                continue
            assert out[bar, column] == pytest.approx(expected.get(name, math.nan), abs=1e-4, nan_ok=True), (bar, name)


def test_an_edit_changes_the_tone_from_its_own_time_on() -> None:
    frame, tones = rows(
        ("0", "2012-01-02T10:00Z", "start", 0.0, 1.0),
        ("1", "2012-02-01T20:00Z", "profit rose", 0.8, 1.0),
        ("1", "2012-02-02T22:00Z", "profit fell", -0.6, 1.0),
    )
    tone, count = features(frame, tones)[:, [COLUMNS["news_tone_5"], COLUMNS["news_count_5"]]].T
    at = {str(day)[:10]: place for place, day in enumerate(CLOSES)}
    assert tone[at["2012-02-01"]] == tone[at["2012-02-02"]] == pytest.approx(0.8)
    assert tone[at["2012-02-03"]] == tone[at["2012-02-07"]] == pytest.approx(-0.6)
    assert math.isnan(tone[at["2012-02-08"]]) and count[at["2012-02-08"]] == 0.0
    assert count[at["2012-02-03"]] == pytest.approx(math.log(2.0))


def test_a_text_after_the_close_is_in_the_next_bar() -> None:
    frame, tones = rows(
        ("0", "2012-01-02T10:00Z", "start", 0.0, 1.0),
        ("1", "2012-02-01T21:00Z", "at the close", 0.5, 1.0),
        ("2", "2012-02-01T21:00:00.000001Z", "after it", -0.5, 1.0),
    )
    tone = features(frame, tones)[:, COLUMNS["news_tone_1"]]
    day = int(np.searchsorted(CLOSES, np.datetime64("2012-02-01T21:00")))
    assert tone[day] == 0.5 and tone[day + 1] == -0.5


def test_repeated_reports_are_new_once() -> None:
    story = "regulator opens probe of accounting at the lender, shares halted"
    frame, tones = rows(
        ("0", "2012-01-02T10:00Z", "start", 0.0, 1.0),
        ("1", "2012-02-01T10:00Z", story, 0.0, 1.0),
        ("2", "2012-02-01T11:00Z", f"<b>{story.title()}</b>!", 0.0, 1.0),
        ("3", "2012-02-01T12:00Z", "dividend is unchanged", 0.0, 1.0),
        ("4", "2012-02-13T12:00Z", story, 0.0, 1.0),
    )
    novelty = features(frame, tones)[:, COLUMNS["news_novelty_1"]]
    first, second = (int(np.searchsorted(CLOSES, np.datetime64(day))) for day in ("2012-02-01", "2012-02-13"))
    assert novelty[first] == pytest.approx(2 / 3) and novelty[second] == 1.0


def test_missing_stays_missing() -> None:
    frame, tones = rows(("0", "2012-02-01T10:00Z", "one", math.nan, 1.0))
    out = features(frame, tones)
    day = int(np.searchsorted(CLOSES, np.datetime64("2012-02-01")))
    assert np.isnan(out[: day - 1]).all() and np.isnan(out[day, COLUMNS["news_count_1"]])
    assert out[day + 1, COLUMNS["news_count_1"]] == 0.0 and np.isnan(out[day + 1, COLUMNS["news_tone_1"]])
    assert out[day, COLUMNS["news_age"]] == pytest.approx(11 / 24)
    late = CLOSES + np.timedelta64(150, "D")
    assert np.isnan(features(frame, tones, late)).all()
    assert np.isnan(features(frame[:0], tones[:0])).all() and features(frame, tones, CLOSES[:0]).shape == (0, 16)


ITEM = st.tuples(st.integers(0, 6), st.integers(0, 180 * 24), st.sampled_from(["up", "down", "same words", ""]))


@settings(max_examples=30)
@given(st.lists(ITEM, min_size=1, max_size=25), st.lists(ITEM, max_size=10), st.integers(0, 180 * 24))
def test_later_rows_leave_earlier_features_byte_identical(
    earlier: list[tuple[int, int, str]], later: list[tuple[int, int, str]], split: int
) -> None:
    start = pd.Timestamp("2012-01-01", tz="UTC")

    def made(items: list[tuple[int, int, str]]) -> list[tuple[str, str, str, float, float]]:
        return [
            (str(n), (start + pd.Timedelta(hours=h)).isoformat(), text, math.sin(n + h), 1.0) for n, h, text in items
        ]

    before = [item for item in earlier if item[1] <= split]
    after = [item for item in [*earlier, *later] if item[1] > split]
    closes = CLOSES[np.datetime64("2012-01-01", "ns") + np.timedelta64(split, "h") >= CLOSES]
    if not before or not len(closes):
        return
    plain = features(*rows(*made(before)), closes)
    changed = features(*rows(*made([*before, *after])), closes)
    assert plain.tobytes() == changed.tobytes()


@pytest.mark.parametrize(
    ("tone", "message"),
    [([1.5], "has a tone of 1.5; expected −1 to 1"), ([0.1, 0.2], "2 tones were given for 1 texts")],
)
def test_bad_tones_are_refused(tone: list[float], message: str) -> None:
    frame, _ = rows(("7", "2012-02-01T10:00Z", "one", 0.0, 1.0))
    with pytest.raises(DataError, match=message):
        text_changes(frame, tone)


def test_a_row_without_publication_time_is_refused() -> None:
    frame, tones = rows(("7", "2012-02-01T10:00Z", "one", 0.0, 1.0))
    with pytest.raises(DataError, match="'7' has no publication time"):
        text_changes(frame.assign(known_from=pd.NaT), tones)

"""Scores in the lake: computed once for each text, kept for ever, resumed after an interruption."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.alternative.text import stored_scores
from features.alternative.text.lexicon import LexiconScorer
from features.alternative.text.scorer import Scores
from features.alternative.text.stored_scores import missing_texts, score_rows, score_stored, stored_tones
from features.store.alternative import AlternativeLake
from features.store.store import Store

NOW = datetime(2024, 5, 1, tzinfo=UTC)
TEXTS = ["Profit rose.", "Sales fell.", "", "  ", "Cafe\u0301 sales rose", "Café sales rose", "The board meets."]


class Counting:
    """The lexicon, with the texts that it was asked for, and a number of calls after which it fails."""

    def __init__(self, calls: int = 1_000) -> None:
        self._lexicon, self._calls = LexiconScorer(), calls
        self.name, self.seen = self._lexicon.name, list[str]()

    def score(self, texts: Sequence[str]) -> Scores:
        if self._calls == 0:
            raise InterruptedError
        self._calls -= 1
        self.seen += texts
        return self._lexicon.score(texts)


@pytest.fixture
def lake(tmp_path: Path) -> AlternativeLake:
    return AlternativeLake(Store(tmp_path))


def test_each_text_is_scored_once(lake: AlternativeLake) -> None:
    scorer = Counting()
    assert score_stored(lake, scorer, TEXTS, NOW) == 4 == len(scorer.seen)
    assert score_stored(lake, scorer, [*TEXTS, "Costs rose."], NOW) == 1 and scorer.seen[-1] == "Costs rose."
    assert missing_texts(lake, scorer.name, TEXTS) == {} and len(missing_texts(lake, "other@1", TEXTS)) == 4


def test_a_stored_score_is_never_replaced(lake: AlternativeLake) -> None:
    score_stored(lake, Counting(), TEXTS, NOW)
    before = lake.read("scores", Counting().name)
    lake.append("scores", score_rows(Counting().name, list(before["text_sha256"]), np.full(len(before), 0.123), NOW))
    pd.testing.assert_frame_equal(lake.read("scores", Counting().name), before)


def test_an_interrupted_run_continues(lake: AlternativeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_scores, "_CHUNK", 10)
    texts = [f"Profit rose {n}%." for n in range(35)]
    broken, second = Counting(calls=2), Counting()
    with pytest.raises(InterruptedError):
        score_stored(lake, broken, texts, NOW)
    assert score_stored(lake, second, texts, NOW) == 15 and not set(broken.seen) & set(second.seen)
    assert len(lake.read("scores", second.name)) == 35


def test_the_scorers_tone_comes_before_the_sources_own(lake: AlternativeLake) -> None:
    frame = pd.DataFrame({"text": ["Profit rose.", "Not scored.", "", "Neither."], "score": [-1.0, 0.25, 0.5, np.nan]})
    score_stored(lake, LexiconScorer(), ["Profit rose."], NOW)
    tones = stored_tones(frame, lake.read("scores", LexiconScorer().name))
    expected = round(LexiconScorer().score(["Profit rose."]).tone[0], 6)
    np.testing.assert_array_equal(tones, [expected, 0.25, 0.5, np.nan])
    np.testing.assert_array_equal(stored_tones(frame, lake.read("scores", "none@1")), frame["score"])


def test_what_a_scorer_must_not_return(lake: AlternativeLake) -> None:
    class Wrong:
        name = "wrong@1"

        def score(self, texts: Sequence[str]) -> Scores:
            return Scores(np.full(len(texts), np.nan), np.zeros(len(texts), np.int8))

    with pytest.raises(DataError, match=r"wrong@1 gave text .* a tone of nan; expected −1 to 1"):
        score_stored(lake, Wrong(), TEXTS, NOW)
    with pytest.raises(DataError, match="has no zone"):
        score_stored(lake, LexiconScorer(), TEXTS, datetime(2024, 5, 1))

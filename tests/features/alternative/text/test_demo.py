"""The synthetic headlines of the demo fit the table of texts, repeat exactly, and are read as they were meant."""

import tomllib
from importlib.resources import files

import numpy as np
import pytest

from features.alternative.schemas import TEXT
from features.alternative.text.demo import NAMES, demo_headlines
from features.alternative.text.lexicon import LexiconScorer, PolicyScorer

WORDING = tomllib.loads(files("features.alternative.text").joinpath("demo_headlines.toml").read_text("utf-8"))


@pytest.mark.slow
def test_rows_fit_the_schema_and_repeat_exactly() -> None:
    table = demo_headlines()
    assert table.schema == TEXT and table.equals(demo_headlines()) and not table.equals(demo_headlines(1))
    frame = table.to_pandas()
    assert set(frame["source"]) == {"synthetic"} and set(frame["symbol"]) == {*NAMES, ""}
    assert (frame["known_from"] >= frame["published_at"]).all() and frame["known_from"].is_monotonic_increasing
    assert not frame.duplicated(["symbol", "id", "known_from", "source"]).any()
    assert frame.duplicated(["symbol", "id"]).sum() > 20  # edits
    assert 3_500 < len(frame) < 4_500
    assert str(frame["published_at"].min())[:4] == "2000", "the demo trains on them"


def test_headlines_have_the_tone_that_they_are_listed_under() -> None:
    for label, tone in enumerate(("negative", "neutral", "positive"), start=-1):
        texts = [text.format(name="Acme") for text in WORDING[tone]]
        assert LexiconScorer().score(texts).label.tolist() == [label] * len(texts), texts
    for label, stance in enumerate(("dovish", "neutral", "hawkish"), start=-1):
        texts = WORDING["fed"][stance]
        assert np.sign(PolicyScorer().score(texts).tone).tolist() == [label] * len(texts), texts

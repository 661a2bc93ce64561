"""``fleetcast score``: texts of the lake get their scores once, and errors are one line."""

import json
from pathlib import Path

import pandas as pd
import pytest
from tiny_bert import write_tiny_bert

from features.alternative.text.demo import demo_headlines
from features.store.alternative import AlternativeLake
from features.store.store import Store


@pytest.mark.slow
def test_texts_are_scored_once_by_each_scorer(call, tmp_path: Path) -> None:
    store, model = tmp_path / "store", write_tiny_bert(tmp_path / "model")
    lake = AlternativeLake(Store(store))
    lake.append("text", demo_headlines().slice(0, 40))
    first = call("score", "--store", str(store))
    assert first.code == 0 and "features.sentiment_scorer=lexicon@" in first.out
    again = json.loads(call("score", "--store", str(store), "--json").out)
    assert again["scored"] == 0 and again["rows"] == 40
    other = json.loads(call("score", "--store", str(store), "--scorer", f"encoder:{model}", "--json").out)
    assert other["scored"] > 20 and lake.parts("scores") == sorted([again["scorer"], other["scorer"]])
    assert isinstance(lake.read("scores", other["scorer"]), pd.DataFrame)


def test_an_unknown_scorer_is_one_line(call, tmp_path: Path) -> None:
    found = call("score", "--store", str(tmp_path), "--scorer", "finbert")
    assert found.code == 2 and "scorer 'finbert' does not exist; expected lexicon" in found.err
    missing = call("score", "--store", str(tmp_path), "--scorer", f"encoder:{tmp_path}/none")
    assert missing.code == 2 and "has no config.json" in missing.err

"""Scoring on Ray gives the scores of this process, resumes, and reports what is wrong in one line."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tiny_bert import write_tiny_bert

from configs.errors import ClusterError, ConfigError, DataError, ModelError
from features.alternative.text.stored_scores import score_stored, stored_tones
from features.store.alternative import AlternativeLake
from features.store.store import Store
from training.models.encoder.open_scorer import open_scorer, scorer_name
from training.run import text_scoring
from training.run.text_scoring import ScoringActor, score_on_ray

pytestmark = pytest.mark.slow

NOW = datetime(2024, 5, 1, tzinfo=UTC)
TEXTS = [f"profit rose {n} percent " + "sales fell " * (n % 30) for n in range(90)]


def test_scores_of_actors_equal_those_of_this_process(
    ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_scoring, "_BLOCK", 20)
    here, there = AlternativeLake(Store(tmp_path / "here")), AlternativeLake(Store(tmp_path / "there"))
    scorer = open_scorer("lexicon")
    assert scorer.name == scorer_name("lexicon")
    assert score_stored(here, scorer, TEXTS, NOW) == 90
    assert score_stored(there, scorer, TEXTS[:30], NOW) == 30
    before = there.read("scores", scorer.name)
    assert score_on_ray(there, "lexicon", TEXTS, NOW, actors=2) == 60
    assert score_on_ray(there, "lexicon", TEXTS, NOW, actors=2) == 0
    frames = [lake.read("scores", scorer.name).sort_values("text_sha256") for lake in (here, there)]
    assert frames[0]["text_sha256"].tolist() == frames[1]["text_sha256"].tolist()
    np.testing.assert_array_equal(frames[0]["score"], frames[1]["score"])
    kept = there.read("scores", scorer.name).merge(before, on="text_sha256")
    assert len(kept) == 30 and (kept["score_x"] == kept["score_y"]).all()
    with pytest.raises(ClusterError, match="the cluster has 2"):
        score_on_ray(there, "lexicon", ["one more"], NOW, actors=3)


def test_scorers_by_name(tmp_path: Path) -> None:
    assert open_scorer("lexicon").name == scorer_name("lexicon")
    for spec in ("lexicon:", "vader", "encoder:", "unknown", "", "finbert:x"):
        with pytest.raises(ConfigError, match="expected lexicon, policy, vader:FILE"):
            open_scorer(spec)
    with pytest.raises(DataError, match="cannot be read"):
        scorer_name(f"vader:{tmp_path / 'none.txt'}")
    with pytest.raises(ModelError, match=r"has no config\.json"):
        scorer_name(f"encoder:{tmp_path}")


def test_other_files_on_a_worker_are_refused() -> None:
    with pytest.raises(ModelError, match="Copy the same files"):
        ScoringActor("lexicon", "lexicon@000000000000", 1)


def test_an_actor_scores_with_an_encoder(tmp_path: Path) -> None:
    spec = f"encoder:{write_tiny_bert(tmp_path)}"
    actor, scorer = ScoringActor(spec, scorer_name(spec), 1), open_scorer(spec)
    tones = actor(pa.table({"digest": TEXTS, "text": TEXTS}))["tone"].to_numpy()
    np.testing.assert_allclose(tones, scorer.score(TEXTS).tone, atol=3e-6)


def test_rows_without_a_score_are_missing(tmp_path: Path) -> None:
    lake = AlternativeLake(Store(tmp_path))
    frame = lake.read("text", "")
    assert stored_tones(frame, lake.read("scores", "lexicon@1")).shape == (0,)

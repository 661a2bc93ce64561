"""A member is one file: dropped into a package of members it is fitted, combined, shown, stored and served."""

from pathlib import Path

import numpy as np
import pytest

from cluster.views.leaderboard import verdicts
from configs.errors import ConfigError
from training import VolatilityPredictor
from training.models.volatility import members
from training.run.kind_result import KindResult
from training.tasks import task_of
from training.validation.evaluate import evaluate

SOURCE = '''
"""Twice the linear forecast, at the level that train rows ask for."""

from dataclasses import dataclass

import numpy as np

from training.models.volatility.fleet_state import FleetState, Float
from training.models.volatility.member import MemberSpec


@dataclass(frozen=True, slots=True)
class Doubled(FleetState):
    level: Float


def fit_shared(data):
    return Doubled(np.array([np.mean(data.train.target / (2.0 * data.base))]))


def fit_own(data, shared):
    return Doubled(np.repeat(shared.level, len(data.panel.symbols)))


SPEC = MemberSpec(
    name="doubled",
    title="its own doubled member",
    state=Doubled,
    fit_shared=fit_shared,
    fit_own=fit_own,
    forecast=lambda inputs, fleet: fleet.level[inputs.rows(fleet)] * 2.0 * inputs.base,
    share=1.0,
)
'''


@pytest.fixture
def with_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "doubled.py").write_text(SOURCE)
    monkeypatch.setattr(members, "__path__", [*members.__path__, str(tmp_path)])
    members.catalog.cache_clear()
    task_of("volatility").__dict__.pop("layout", None)
    yield
    monkeypatch.undo()
    members.catalog.cache_clear()
    task_of("volatility").__dict__.pop("layout", None)


def test_a_member_in_one_new_file_is_fitted_combined_shown_and_stored(with_doubled, tiny_config, make_universe):
    bars = make_universe(("AAA", "BBB"))
    config = tiny_config("volatility.members=[linear, doubled]")
    predictor = VolatilityPredictor(config).fit(bars)
    examples = predictor.examples(bars)
    found = evaluate(predictor, examples)
    table = found.table.to_pandas()
    assert np.isfinite(table["loss_doubled"]).all() and "loss_forest" not in table
    assert predictor._shared.combination.weights.shape == (1, 5), "two members and three baselines"
    worse = {"qlike_vs_doubled": 0.1, "qlike_vs_doubled_se": 0.01, "qlike_doubled": 0.2}
    assert any("above its own doubled member" in one for one in verdicts(KindResult("volatility", worse)))
    again = VolatilityPredictor.from_state(predictor.symbols, predictor.to_arrays(), predictor.meta())
    np.testing.assert_array_equal(again.predict(bars)["variance"], predictor.predict(bars)["variance"])
    own, unseen = again._ensemble.members["doubled"].level[[0, -1]]
    assert own == unseen == pytest.approx(0.5, rel=0.2)


def test_a_member_that_does_not_exist_is_refused(tiny_config, make_universe):
    with pytest.raises(ConfigError, match=r"volatility.members has 'doubled'. Choose from boosting, ewma, "):
        VolatilityPredictor(tiny_config("volatility.members=[linear, doubled]")).fit(make_universe(("AAA", "BBB")))

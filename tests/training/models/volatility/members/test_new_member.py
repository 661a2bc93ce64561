"""A member is one file: dropped into a package of members it is fitted, combined, shown, stored and served."""

import re
from pathlib import Path

import numpy as np
import pytest

from cluster.views.leaderboard import verdicts
from configs import load_config
from configs.errors import ConfigError
from features.store.lake import Lake
from features.store.store import Store
from serving import PredictionEngine, PredictionRequest
from training import ModelTrainer, VolatilityPredictor
from training.models.volatility import members
from training.models.volatility.fleet_state import FleetState
from training.models.volatility.member import MemberSpec
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
    return Doubled(shared.level * np.arange(1.0, 1.0 + len(data.panel.symbols)))


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
    first, second, unseen = again._ensemble.members["doubled"].level
    assert (first, second) == (unseen, 2.0 * unseen) and unseen == pytest.approx(0.5, rel=0.2)


def test_it_is_a_model_of_its_own(with_doubled, tiny_config, make_universe):
    bars = make_universe(("AAA", "BBB"))
    predictor = VolatilityPredictor(tiny_config(), model_type="doubled").fit(bars)
    examples = predictor.examples(bars)
    columns, others = predictor.compare(examples.panel, examples.part("test"))
    used = ~columns["fallback"]
    assert used.mean() > 0.9
    np.testing.assert_allclose(columns["variance"][used], others["doubled"][used], rtol=1e-6)


@pytest.mark.slow
def test_it_is_trained_published_and_served(with_doubled, tiny_config, make_universe, tmp_path):
    for bars in make_universe(("AAA", "BBB")):
        Lake(Store(tmp_path / "store")).append(bars)
    config = tiny_config("volatility.members=[linear, doubled]", "data.bars=lake", "run.kinds=[volatility]")
    ModelTrainer(config, str(tmp_path / "store")).train_multi_asset_models(model_types=["volatility"])
    with PredictionEngine(tmp_path / "store") as engine:
        answer = engine.predict_single(PredictionRequest("BBB"))
    assert answer.volatility.annualised > 0 and answer.volatility.basis == "own"


@pytest.mark.parametrize("broken", [{"fit_own": print}, {"state": FleetState}, {"fit_shared": print}])
def test_a_spec_that_lacks_a_part_is_refused(broken):
    with pytest.raises(ValueError, match="member 'x': fit_own and series need state and fit_shared"):
        MemberSpec(name="x", title="x", forecast=print, **broken)


def test_baselines_alone_are_refused():
    with pytest.raises(ConfigError, match=r"baselines only \(garch\), .* Add one of boosting, forest, linear, lstm"):
        task_of("volatility").check(load_config(overrides=["volatility.members=[garch]"]))


@pytest.mark.parametrize("name", ["doubled", "log_har_pooled"])  # the second is shown only
def test_a_model_that_is_no_member_is_refused(name):
    message = (
        f"volatility.model has value '{name}'; expected ensemble, boosting, ewma, forest, garch, har, linear, log_har "
        "or lstm."
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        VolatilityPredictor(model_type=name)
    with pytest.raises(ConfigError, match=re.escape(message)):
        task_of("volatility").check(load_config(overrides=[f"volatility.model={name}"]))


def test_a_member_that_does_not_exist_is_refused(tiny_config, make_universe):
    with pytest.raises(ConfigError, match=r"volatility.members has 'doubled'. Choose from boosting, ewma, "):
        VolatilityPredictor(tiny_config("volatility.members=[linear, doubled]")).fit(make_universe(("AAA", "BBB")))

"""Both ways to search run the remaining trials, record how each ended, and find a planted optimum equally fast."""

import math
import os
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import ray

from configs.errors import ConfigError
from configs.operation import RunConfig, TuneConfig
from configs.space import Choice, Range
from tuning.local_search import search_locally
from tuning.objective import TrialFailed
from tuning.open_study import open_study
from tuning.ray_search import search_on_ray
from tuning.score import Difference, Outcome

pytestmark = pytest.mark.slow

SPACE = {"rate": Range(low=1e-4, high=1.0, log=True), "width": Choice(values=(4, 8, 16)), "share": Range(low=0, high=1)}
WORST = 3.0

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test


@dataclass(frozen=True)
class Planted:
    """An objective with its optimum at rate 0.01, width 8 and share 0.3; every epoch shows how good a trial is."""

    epochs: int = 12
    fails_above: float = math.inf
    dies_above: float = math.inf

    def __call__(self, values, on_epoch=lambda epoch, loss: None):
        if values["rate"] > self.dies_above:
            os._exit(1)
        if values["rate"] > self.fails_above:
            raise TrialFailed("the loss is nan")
        loss = 0.3 * math.log10(values["rate"] / 0.01) ** 2 + abs(math.log2(values["width"] / 8))
        loss += 2 * (values["share"] - 0.3) ** 2
        for epoch in range(1, self.epochs + 1):
            on_epoch(epoch, loss + 1 / epoch)
        edge = Difference(mean=loss - WORST, se=None)
        return Outcome(loss=loss, baseline=WORST, edge=edge, by_symbol=({"AAA": loss},), seconds=0.01)


def on_ray(study, objective, **options):
    search_on_ray(study, objective, RunConfig(workers=2, cpus_per_worker=1), **options)


@pytest.fixture(params=[search_locally, pytest.param(on_ray, marks=pytest.mark.slow)], ids=["locally", "on_ray"])
def search(request):
    if request.param is on_ray:
        request.getfixturevalue("ray_cluster")
    return request.param


@pytest.fixture
def opened(store):
    def make(name="planted", **settings):
        config = TuneConfig(**{"trials": 12, **settings})
        return open_study(name, store, "t", SPACE, config, resume=True, seed=4)

    return make


def test_every_remaining_trial_is_run_and_recorded(search, opened):
    with opened(trials=2) as study:
        search_locally(study, Planted())
        before, finished = study.trials, []
    with opened() as study:
        search(study, Planted(), on_trial_end=lambda: finished.append(len(study.trials)))
        trials = study.trials
        assert study.left == 0 and finished == list(range(3, 13)) and trials[:2] == before
    complete = [one for one in trials if one.state == "complete"]
    assert complete and {one.state for one in trials} <= {"complete", "pruned"}
    for one in complete:
        assert one.loss == pytest.approx(Planted()(one.values).loss) and one.baseline == WORST
        assert sorted(one.curve) == list(range(1, 13))
    assert all(0 < len(one.curve) < 12 for one in trials if one.state == "pruned")


def test_a_failure_is_recorded_with_its_reason_and_the_sweep_continues(opened):
    with opened(sampler="random", early_stopping=False) as study:
        search_locally(study, Planted(fails_above=0.03))
        states = [one.state for one in study.trials]
        assert study.left == 0 and set(states) == {"complete", "fail"}
        for one in study.trials:
            assert (one.reason == "the loss is nan") == (one.values["rate"] > 0.03)


def test_a_worker_that_dies_fails_its_trial_only(ray_cluster, opened):
    with opened(sampler="random", trials=4, early_stopping=False) as study:
        on_ray(study, Planted(fails_above=0.02, dies_above=0.2))
        assert study.left == 0 and {one.state for one in study.trials} == {"complete", "fail"}
        for one in study.trials:
            rate = one.values["rate"]
            assert ("died" in one.reason) == (rate > 0.2)
            assert (one.reason == "the loss is nan") == (0.02 < rate <= 0.2)
            assert (one.state == "complete") == (rate <= 0.02)
        assert any("died" in one.reason for one in study.trials)


def test_a_sweep_for_loss_and_cost_ends_after_its_time(search, opened):
    with opened(sampler="nsga2", trials=100_000) as study:
        search(study, Planted(), seconds=1.0)
        assert study.left > 0 and {one.state for one in study.trials} == {"complete"}


def test_ray_finds_the_planted_optimum_as_fast_as_optuna_alone(ray_cluster, opened):
    """Losses after TPE's ten random trials show how fast it learns: 0.6 on average here, 1.3 in a random search.

    With two concurrent trials each draw may lack the result of one: in 40 simulated orders of ending that cost nothing
    (means of 0.36 to 0.59, best losses below 0.015).
    """
    values, losses = {}, {}
    for name, search in (("alone", search_locally), ("ray", on_ray)):
        with opened(name=name, trials=40, early_stopping=False) as study:
            search(study, Planted(epochs=1))
            values[name] = [one.values for one in study.trials]
            losses[name] = np.array([one.loss for one in study.trials])
    assert values["ray"][:10] == values["alone"][:10]
    assert losses["alone"].min() < 0.04 and losses["ray"].min() < 0.04
    assert losses["ray"][10:].mean() < losses["alone"][10:].mean() + 0.1 < 0.8


def test_the_number_of_trials_may_be_an_option_and_others_are_named():
    from tuning import HyperparameterOptimizer

    optimizer = HyperparameterOptimizer(store="memory://trials")
    for name in ("trials", "n_trials"):
        assert optimizer._configured({name: 3}).tune.trials == 3
        with pytest.raises(ConfigError, match=r"tune\.trials"):
            optimizer._configured({name: 0})
    with pytest.raises(ConfigError, match=r"no option 'timeout'; expected trials, study, resume, seconds"):
        optimizer.optimize_direction_model([], timeout=3)

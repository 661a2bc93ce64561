"""Both ways to search do the trials that are left, record how each ended, and find a planted optimum alike."""

import math
import os
import sys
import time
from dataclasses import dataclass

import numpy as np
import pytest
import ray

from configs.operation import RunConfig, TuneConfig
from configs.space import Choice, Range
from tuning.distributed import search_on_ray
from tuning.objective import TrialFailed
from tuning.score import Difference, Outcome
from tuning.search import search_here
from tuning.study import open_study

SPACE = {"rate": Range(low=1e-4, high=1.0, log=True), "width": Choice(values=(4, 8, 16)), "share": Range(low=0, high=1)}
WORST = 3.0

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test


@dataclass(frozen=True)
class Planted:
    """The best is a rate of 0.01, a width of 8 and a share of 0.3; a bad one shows from its first epochs on."""

    epochs: int = 12
    fails_above: float = math.inf
    dies_above: float = math.inf

    def __call__(self, values, follow=lambda step, loss: None):
        if values["rate"] > self.dies_above:
            os._exit(1)
        if values["rate"] > self.fails_above:
            raise TrialFailed("the loss is nan")
        loss = 0.3 * math.log10(values["rate"] / 0.01) ** 2 + abs(math.log2(values["width"] / 8))
        loss += 2 * (values["share"] - 0.3) ** 2
        for epoch in range(1, self.epochs + 1):
            follow(epoch, loss + 1 / epoch)
        edge = Difference(mean=loss - WORST, se=None)
        return Outcome(loss=loss, baseline=WORST, edge=edge, by_symbol=({"AAA": loss},), seconds=0.01)


def here(study, objective, **options):
    search_here(study, objective, **options)


def on_ray(study, objective, **options):
    search_on_ray(study, objective, RunConfig(workers=2, cpus_per_worker=1), **options)


@pytest.fixture(params=[here, on_ray], ids=["here", "on_ray"])
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


def test_every_trial_is_done_and_recorded(search, opened):
    told = []
    with opened() as study:
        search(study, Planted(), ended=lambda: told.append(len(study.trials)))
        trials = study.trials
        assert study.left == 0 and told == list(range(1, 13))
    whole = [one for one in trials if one.state == "complete"]
    assert whole and {one.state for one in trials} <= {"complete", "pruned"}
    for one in whole:
        assert one.loss == pytest.approx(Planted()(one.values).loss) and one.baseline == WORST
        assert sorted(one.curve) == list(range(1, 13))
    assert all(0 < len(one.curve) < 12 for one in trials if one.state == "pruned")
    with opened(trials=14) as study:
        search(study, Planted())
        assert study.trials[:12] == trials and len(study.trials) == 14


def test_failures_are_recorded_with_their_reason_and_the_sweep_goes_on(opened):
    with opened(sampler="random", early_stopping=False) as study:
        here(study, Planted(fails_above=0.03))
        states = [one.state for one in study.trials]
        assert study.left == 0 and set(states) == {"complete", "fail"}
        for one in study.trials:
            assert (one.reason == "the loss is nan") == (one.values["rate"] > 0.03)


def test_a_worker_that_dies_costs_its_trial_only(ray_cluster, opened):
    with opened(sampler="random", trials=4, early_stopping=False) as study:
        on_ray(study, Planted(fails_above=0.02, dies_above=0.2))
        assert study.left == 0 and {one.state for one in study.trials} == {"complete", "fail"}
        for one in study.trials:
            rate = one.values["rate"]
            assert ("died" in one.reason) == (rate > 0.2)
            assert (one.reason == "the loss is nan") == (0.02 < rate <= 0.2)
            assert (one.state == "complete") == (rate <= 0.02)
        assert any("died" in one.reason for one in study.trials)


def test_loss_and_cost_at_once_until_the_time_is_over(search, opened):
    with opened(sampler="nsga2", trials=100_000) as study:
        start = time.monotonic()
        search(study, Planted(), seconds=1.0)
        assert time.monotonic() - start < 45
        assert study.left > 0 and {one.state for one in study.trials} == {"complete"}


def test_ray_finds_the_planted_optimum_as_fast_as_optuna_alone(ray_cluster, opened):
    found = {}
    for name, search in (("here", here), ("ray", on_ray)):
        with opened(name=name, trials=50, early_stopping=False) as study:
            search(study, Planted(epochs=1))
            found[name] = np.minimum.accumulate([one.loss for one in study.trials])
    assert found["here"][-1] < 0.1 and found["ray"][-1] < 0.1
    reached = {name: int(np.argmax(best < 0.3)) for name, best in found.items()}
    assert reached["ray"] <= reached["here"] + 20  # two trials at once know a little less

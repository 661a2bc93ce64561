"""The folds of a sweep are in order and end before the test period, whose bars no trial can read."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from configs.errors import DataError
from features.store.lake import Lake
from features.store.store import Store
from tuning.sweep_task import task_of_bars, task_of_source


@pytest.mark.parametrize("kind", ["direction", "volatility"])
def test_folds_are_in_order_and_before_the_test_period(task_of, lake, kind):
    task = task_of(kind)
    days = np.unique(np.concatenate([Lake(lake).read(symbol).dates for symbol in Lake(lake).symbols()]))
    test_start = days[len(days) - int(len(days) * task.config.split.test_fraction)]
    assert task.panel.dates.max() < test_start
    everything = (*task.folds, task.last)
    assert len(task.folds) == 2
    for fold, later in itertools.pairwise(everything):
        assert fold.train_end < fold.valid_start <= fold.valid_end < fold.test_start <= fold.test_end < later.test_start
    assert all(fold.purge == task.horizon for fold in everything)
    assert task.last.test_end < test_start


def test_prices_of_the_test_period_change_nothing(make_universe, sweep_config, tmp_path):
    tasks = []
    for ending in (1.0, 1.3):
        store = Store(tmp_path / str(ending))
        for series in make_universe(("AAA", "BBB", "CCC"), bars=700, seed=5):
            moved = [getattr(series, name).copy() for name in ("open", "high", "low", "close")]
            for values in moved:
                values[600:] *= ending
            prices = dict(zip(("open", "high", "low", "close"), moved, strict=True))
            Lake(store).append(replace(series, **prices))
        tasks.append(task_of_source(sweep_config(), "direction", store))
    a, b = (task.panel for task in tasks)
    assert np.array_equal(a.features, b.features, equal_nan=True) and np.array_equal(a.close, b.close)


def test_the_sample_of_symbols_does_not_depend_on_the_seed(task_of):
    few = task_of("direction", "tune.symbols=3")
    again = task_of("direction", "tune.symbols=3", "run.seed=99")
    assert few.panel.symbols == again.panel.symbols and len(few.panel.symbols) == 3
    assert len(task_of("direction").panel.symbols) == 6


@pytest.mark.slow
def test_the_identity_depends_on_what_makes_trials_compare_and_on_nothing_else(task_of):
    task = task_of("direction")
    assert task_of("direction", "tune.trials=9", "run.workers=1").identity == task.identity
    for other in ("tune.folds=1", "tune.symbols=3", "direction.horizon=2", "run.seed=8", "features.clip=4"):
        assert task_of("direction", other).identity != task.identity
    assert task_of("volatility").identity != task.identity


def test_folds_extend_to_the_end_of_given_bars(make_universe, sweep_config):
    bars = make_universe(("AAA", "BBB", "CCC"), bars=500, seed=5)
    task = task_of_bars(bars, sweep_config(), "direction")
    assert task.last.test_end == bars[0].dates[-1]


def test_too_few_dates_for_the_folds_are_an_error(make_universe, sweep_config):
    with pytest.raises(DataError, match=r"tune\.folds"):
        task_of_bars(make_universe(("AAA", "BBB", "CCC"), bars=300), sweep_config("tune.folds=100"), "direction")

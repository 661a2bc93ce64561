"""Simulations on Ray have the figures of those without it, and their errors."""

import numpy as np
import pytest

from configs.errors import DataError
from training.backtest import Backtest
from training.backtesting.account_terms import terms_of
from training.backtesting.batches import in_batches
from training.backtesting.forecasts import view_of
from training.backtesting.variations import Noise, Perturbation, with_noise, with_other_settings


@pytest.fixture
def squares():
    """A batch of simulations, as a local function: workers cannot import this module."""

    def batch(inputs, numbers):
        if 7 in numbers and inputs == "bad":
            raise DataError("seven")
        return np.array([[number, number**2] for number in numbers], float)

    return batch


@pytest.mark.slow
def test_simulations_on_ray_are_those_of_this_process(ray_cluster, squares, one_symbol, settings, tmp_path):
    assert in_batches(squares, None, 11)[:, 1].tolist() == [number**2 for number in range(11)]
    with pytest.raises(DataError, match="seven"):
        in_batches(squares, "bad", 11)
    free = ("strategy.name=direction", "strategy.filter={skill: assumed, level: 0.5, cost_bps: 0}")
    config, found = settings(*free, "backtest.simulations=5", "backtest.capitals=[1e6]"), one_symbol(0, 0.6, bars=300)
    terms = terms_of(found, config.backtest)
    view = view_of(found.tables, terms.history, found.config)
    for batch, inputs in (
        (with_noise, Noise(found, config.strategy, terms)),
        (with_other_settings, Perturbation(view, config.strategy, terms)),
    ):
        expected = batch(inputs, range(5))
        np.testing.assert_array_equal(in_batches(batch, inputs, 5), expected)
        assert expected.shape == (5, 3) and len(np.unique(expected[:, 1])) > 1
    simulated = Backtest(config, tmp_path / "store").run(found).simulated
    assert simulated.noise["sharpe"]["50%"] == np.median(
        with_noise(Noise(found, config.strategy, terms), range(5))[:, 0]
    )

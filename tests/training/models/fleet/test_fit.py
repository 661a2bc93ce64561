"""What makes a fleet S separate trainings: independence, isolation, and early stopping per symbol."""

import dataclasses

import numpy as np
import pytest

from configs import NetworkConfig
from training.data.fleet_data import FleetData
from training.models.fleet.fit import FitPlan, fit_fleet, predict_fleet
from training.models.fleet.losses import cross_entropy
from training.models.fleet.network import FleetNetwork

WINDOW, FEATURES, BARS = 5, 3, 260
NETWORK = FleetNetwork(NetworkConfig(window=WINDOW, lstm_units=(8,), attention_heads=2, dropout=0.2), FEATURES, 3)
PLAN = FitPlan(epochs=4, batch_size=32, learning_rate=5e-3, patience=2, seed=11)


def make_data(symbols, lengths=None):
    """Direction follows the first feature of the last bar; each symbol's bars depend on its name only."""
    buffer = np.zeros((len(symbols), BARS, FEATURES), np.float32)
    targets = np.zeros((len(symbols), BARS, 1), np.float32)
    train, valid = [], []
    for row, symbol in enumerate(symbols):
        rng = np.random.default_rng(sum(symbol.encode()))
        buffer[row] = rng.standard_normal((BARS, FEATURES))
        targets[row, :, 0] = np.digitize(buffer[row, :, 0], (-0.4, 0.4))
        stop = 200 if lengths is None else lengths[row]
        train.append(np.arange(WINDOW - 1, stop, dtype=np.int32))
        valid.append(np.arange(205, BARS, dtype=np.int32))
    return FleetData(tuple(symbols), buffer, targets, tuple(train), tuple(valid))


def fit(data, plan=PLAN):
    return fit_fleet(NETWORK, cross_entropy, data, plan, NETWORK.initial_weights(data.symbols, plan.seed))


@pytest.mark.slow
def test_a_symbols_fit_does_not_depend_on_its_block():
    together = fit(make_data(["AAPL", "MSFT", "IBM"], lengths=[200, 120, 199]))
    for row, (symbol, length) in enumerate([("AAPL", 200), ("MSFT", 120), ("IBM", 199)]):
        alone = fit(make_data([symbol], lengths=[length]))
        np.testing.assert_allclose(together.weights[row], alone.weights[0], atol=1e-5)
        assert together.best_epoch[row] == alone.best_epoch[0]


def test_the_same_fit_twice_is_byte_equal():
    data = make_data(["AAPL", "MSFT"])
    assert fit(data).weights.tobytes() == fit(data).weights.tobytes()


def test_a_diverging_symbol_is_reported_and_leaves_the_others_alone():
    data = make_data(["AAPL", "BAD", "IBM"])
    data.buffer[1, :, 1] = np.nan
    broken = fit(data)
    assert list(broken.failures) == [1]
    assert "never finite" in broken.failures[1]
    clean = fit(make_data(["AAPL", "IBM"]))
    np.testing.assert_allclose(broken.weights[[0, 2]], clean.weights, atol=1e-5)


def test_given_epochs_end_each_symbol_where_early_stopping_had_chosen():
    """The same rows for the epochs that validation chose give the same weights; then validation chooses nothing."""
    data = make_data(["AAPL", "MSFT", "IBM"], lengths=[200, 120, 199])
    plan = dataclasses.replace(PLAN, epochs=8, learning_rate=2e-2)
    chosen, initial = fit(data, plan), NETWORK.initial_weights(data.symbols, plan.seed)
    assert len(set(chosen.best_epoch.tolist())) > 1
    blind = dataclasses.replace(data, targets=data.targets.copy())
    for row, ends in enumerate(data.valid):
        blind.targets[row, ends] = 0.0
    again = fit_fleet(NETWORK, cross_entropy, blind, plan, initial, epochs=chosen.best_epoch)
    np.testing.assert_allclose(again.weights, chosen.weights, atol=1e-6)
    np.testing.assert_array_equal(again.best_epoch, chosen.best_epoch)
    none = fit_fleet(NETWORK, cross_entropy, data, plan, initial, epochs=np.zeros(3, np.int64))
    np.testing.assert_array_equal(none.weights, initial)


def test_each_symbol_keeps_its_own_best_epoch():
    symbols = ["LEARN", "NOISE"]
    data = make_data(symbols)
    rng = np.random.default_rng(0)
    data.targets[1, :, 0] = rng.integers(0, 3, BARS)
    plan = dataclasses.replace(PLAN, epochs=10, learning_rate=2e-2)
    result = fit(data, plan)
    assert result.best_epoch[0] > result.best_epoch[1]
    for row in range(2):
        losses = result.valid_loss[:, row]
        assert losses[result.best_epoch[row]] == pytest.approx(np.nanmin(losses), abs=1e-5)
    assert np.isnan(result.valid_loss[-1, 1]), "the noise symbol must have stopped early"
    outputs = predict_fleet(NETWORK, result.weights, data.buffer, data.valid)
    learned = np.mean(outputs[0].argmax(1) == data.targets[0, data.valid[0], 0])
    assert learned > 0.75, "against 0.34 for the most frequent class"


def test_shrinkage_keeps_weights_near_their_anchor():
    data = make_data(["AAPL"])
    start = NETWORK.initial_weights(["AAPL"], 11)
    free, tied = (
        fit_fleet(NETWORK, cross_entropy, data, dataclasses.replace(PLAN, shrinkage=value), start)
        for value in (0.0, 10.0)
    )
    assert np.linalg.norm(tied.weights - start) < np.linalg.norm(free.weights - start)


def test_predictions_of_ragged_symbols_match_one_by_one():
    data = make_data(["AAPL", "MSFT"])
    weights = fit(data).weights
    ends = (np.arange(10, 250, dtype=np.int32), np.arange(4, 9, dtype=np.int32))
    outputs = predict_fleet(NETWORK, weights, data.buffer, ends)
    assert [len(o) for o in outputs] == [240, 5]
    alone = predict_fleet(NETWORK, weights[1:], data.buffer[1:], ends[1:])
    np.testing.assert_allclose(outputs[1], alone[0], atol=1e-5)

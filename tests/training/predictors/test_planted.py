"""A signal that is there is found, and none is claimed where there is none: a small run of ``bench_planted.py``."""

import pytest

pytestmark = pytest.mark.slow

SMALL = (
    "direction.network={window: 6, lstm_units: [8], attention_heads: 1, dropout: 0}",
    "direction.fit={learning_rate: 0.01, pooled_batch_size: 64}",
    "features={technical_indicators: [rate_of_change], lookback_periods: [5]}",
)


@pytest.fixture(scope="module")
def measured(planted):
    def measure(accuracy, strategy="pooled", seed=0):
        bars = planted["planted_universe"](8, 1500, accuracy, seed)
        return planted["skill"](planted["planted_config"](strategy, *SMALL), bars, accuracy)

    return measure


def test_the_planted_rule_is_as_right_as_it_says(planted):
    for bars in planted["planted_universe"](3, 5000, 0.7):
        moves = (bars.close[1:] > bars.close[:-1]) * 2
        assert (planted["rule"](bars)[3:-1] == moves[3:]).mean() == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("strategy", ["pooled", "finetuned"])
def test_a_planted_signal_is_found(measured, strategy):
    found = measured(0.7, strategy)
    assert found["reached"] >= 0.95
    assert found["log_loss"] <= found["bayes_log_loss"] + 0.01


@pytest.mark.parametrize("strategy", ["pooled", "finetuned", "per_symbol"])
def test_without_a_signal_none_is_claimed(measured, strategy):
    found = measured(0.5, strategy)
    assert found["claimed_mean"] <= 0.0125
    if strategy == "pooled":  # else one of eight symbols that keeps something by chance is an eighth of the rows
        assert found["claimed_95"] <= 0.025
        assert found["log_loss"] <= found["bayes_log_loss"] + 0.001

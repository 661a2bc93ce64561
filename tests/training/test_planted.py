"""A signal that is there is found, and none is claimed where there is none: a small run of ``bench_planted.py``."""

import runpy
from pathlib import Path

import pytest

PLANTED = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "bench_planted.py"))
SMALL = (
    "direction.network={window: 6, lstm_units: [8], attention_heads: 1, dropout: 0}",
    "direction.fit={learning_rate: 0.01, pooled_batch_size: 64}",
    "features={technical_indicators: [rate_of_change], lookback_periods: [5]}",
)


def measured(accuracy, seed=0):
    bars = PLANTED["planted_universe"](8, 1500, accuracy, seed)
    return PLANTED["skill"](PLANTED["planted_config"]("pooled", *SMALL), bars, accuracy)


def test_the_planted_rule_is_as_right_as_it_says():
    for bars in PLANTED["planted_universe"](3, 5000, 0.7):
        moves = (bars.close[1:] > bars.close[:-1]) * 2
        assert (PLANTED["rule"](bars)[3:-1] == moves[3:]).mean() == pytest.approx(0.7, abs=0.03)


@pytest.mark.slow
def test_a_planted_signal_is_found():
    found = measured(0.7)
    assert found["reached"] >= 0.95
    assert found["log_loss"] <= found["bayes_log_loss"] + 0.01


@pytest.mark.slow
def test_without_a_signal_none_is_claimed():
    found = measured(0.5)
    assert found["claimed_mean"] <= 0.01
    assert found["claimed_95"] <= 0.02
    assert found["log_loss"] <= found["bayes_log_loss"] + 0.001

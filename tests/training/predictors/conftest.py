"""The planted universe of ``bench_planted.py``, small: a signal that a network learns and a regression cannot."""

import runpy
from pathlib import Path

import pytest

SMALL = (
    "direction.network={window: 4, lstm_units: [8], attention_heads: 0, dropout: 0}",
    "direction.fit={learning_rate: 0.02, pooled_batch_size: 64, pooled_epochs: 4}",
    "volatility.network={window: 4, lstm_units: [4], attention_heads: 0}",
    "volatility.forest={trees: 5, max_depth: 3}",
    "features={technical_indicators: [rate_of_change, volume_level, rsi], lookback_periods: [5]}",
)


@pytest.fixture(scope="session")
def planted():
    """Return the names of the benchmark."""
    return runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "bench_planted.py"))


@pytest.fixture(scope="session")
def planted_case(planted):
    """Return a configuration and the bars of four symbols: the bar before last decides on the next."""
    return planted["planted_config"]("pooled", *SMALL), planted["planted_universe"](4, 1200, 0.85)

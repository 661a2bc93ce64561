"""The scaled features that a model takes."""

import tracemalloc

import numpy as np
import pytest

from features.scaling import FleetScaler
from training.data.design import Design


@pytest.mark.parametrize("columns", [np.arange(50)[None], np.arange(0, 50, 2)[None]])
def test_what_all_symbols_share_is_not_repeated_for_each_row(columns: np.ndarray) -> None:
    scaler = FleetScaler(np.full((1, 50), 0.5, np.float32), np.full((1, 50), 2.0, np.float32), 5.0)
    bounds = np.full(columns.shape[1], np.inf, np.float32)
    design = Design(scaler, columns, -bounds, bounds, np.arange(columns.shape[1]))
    features = np.random.default_rng(0).normal(size=(20_000, 50)).astype(np.float32)

    tracemalloc.start()
    of_rows = design.transform(features, np.arange(len(features)) % 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    np.testing.assert_array_equal(of_rows, design.transform(features))
    assert peak < 2.6 * features.nbytes, "two copies: the difference and its quotient"

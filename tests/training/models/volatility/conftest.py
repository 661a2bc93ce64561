"""Rows of a log regression whose coefficients are known."""

from collections.abc import Callable

import numpy as np
import pytest

from training.models.volatility import prior
from training.models.volatility.anchor import TERMS
from training.models.volatility.regression import BLOCKS


def _planted_rows(n, effects, terms=prior.COEFFICIENTS, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.multivariate_normal(np.zeros(TERMS), prior.MOMENTS, n)
    x[:, 0] = 1.0
    log_mean, features = rng.normal(-9, 1, n), rng.normal(size=(n, len(effects)))
    target = np.exp(log_mean + x @ terms + features @ np.asarray(effects, float) + noise * rng.normal(size=n))
    return np.column_stack([log_mean, x]), features, target, np.arange(n) * BLOCKS // max(n, 1)


@pytest.fixture(scope="session")
def planted_rows() -> Callable[..., tuple[np.ndarray, ...]]:
    """Make inputs (n, 1 + TERMS), features (n, F), targets with these effects of features, and blocks of time (n,)."""
    return _planted_rows

"""Fits the numbers of ``training/models/volatility/prior.py`` and prints them.

``python tests/benchmarks/fit_prior.py --bars BARS.parquet [--until 2014-12-31]``
"""

from __future__ import annotations

import argparse

import numpy as np

from features.labels import bar_variance, volatility_target
from features.sources import open_source
from features.store.store import Store
from training.models.volatility.anchor import LAGS, anchor_inputs, log_response
from training.models.volatility.intervals import spread_of

_HORIZON, _LEVEL = 5, 0.9


def main() -> None:
    """Print coefficients, level, the regressors' second moments, and the quantiles of the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", required=True)
    parser.add_argument("--until", default="2014-12-31")
    given = parser.parse_args()
    inputs, targets = [], []
    for one in open_source(given.bars, Store("memory://prior")).load([]):
        bars = one.first(int(np.searchsorted(one.dates, np.datetime64(given.until), side="right")))
        if len(bars) <= LAGS[-1]:
            continue
        variance = bar_variance(bars)
        rows = np.array([0, len(bars)])
        x, y = anchor_inputs(variance, bars.close, rows), volatility_target(variance, _HORIZON)
        known = np.isfinite(x).all(axis=1) & np.isfinite(y) & (y > 0)
        inputs.append(x[known])
        targets.append(y[known])
    x, y = np.concatenate(inputs), np.concatenate(targets)
    terms, response = x[:, 1:], log_response(y, x)
    moments = terms.T @ terms
    coefficients = np.linalg.solve(moments, terms.T @ response)
    raw = np.exp(x[:, 0] + terms @ coefficients)
    level = float(np.mean(y / raw))
    errors = np.log(y / (level * raw))
    with np.printoptions(precision=4, suppress=True, linewidth=110):
        print(f"{len(y)} rows of {len(inputs)} symbols")
        print("COEFFICIENTS =", repr(coefficients))
        print(f"LEVEL = {level:.4f}")
        print("MOMENTS =", repr(moments / len(y)))
        print("ERROR_QUANTILES =", np.quantile(errors, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]))
        print(f"ERROR_SPREAD = {spread_of(errors):.4f}")


if __name__ == "__main__":
    main()

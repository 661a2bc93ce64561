"""How forecasts of several predictors become one: logarithmic pools of probabilities, geometric means of volatility."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize

from configs.errors import ModelError
from features.labels import CLASSES
from training.data.arrays import Float
from training.models.calibration.softmax_newton import softmax

VOLATILITY = ("volatility", "volatility_low", "volatility_high")

_SMALLEST = 1e-9  # a probability of zero would be a veto
_TOLERANCE = 1e-3


def log_probabilities(frame: pd.DataFrame, name: str) -> Float:
    """Return the logarithms (n, 3) of a frame's class probabilities; NaN where one is missing.

    Raises
    ------
    ModelError
        They are negative or do not sum to one; ``name`` is the predictor's class.
    """
    values = frame[list(CLASSES)].to_numpy(np.float64)
    known = np.isfinite(values.sum(axis=1))
    if (values[known] < 0).any() or not np.allclose(values[known].sum(axis=1), 1.0, atol=_TOLERANCE):
        raise ModelError(f"{name}.predict returned {', '.join(CLASSES)} that are no probabilities: they sum to one.")
    return np.log(np.maximum(np.where(known.reshape(-1, 1), values, np.nan), _SMALLEST))


def pooled(logs: Float, weights: Float) -> Float:
    r"""Return the logarithmic pool (n, 3), :math:`p \propto \prod_k p_k^{w_k}`, of logarithms (n, K, 3).

    Where a member is missing, the others share its weight; NaN where all are.
    """
    known = np.isfinite(logs.sum(axis=2))
    share = np.where(known, weights, 0.0)
    total = share.sum(axis=1, keepdims=True)
    share = np.divide(share, total, out=np.full_like(share, np.nan), where=total > 0)
    return np.asarray(softmax(np.einsum("nk,nkc->nc", share, np.where(known[:, :, None], logs, 0.0))))


def mean_volatility(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the geometric mean of the annualised volatilities that are known, with its interval.

    The ends of the interval are as far from the mean, in logarithms, as those of the members that have one are from
    their own forecasts on average.
    """
    centre, *ends = VOLATILITY
    out = pd.DataFrame(index=frames[0].index)
    out[centre] = _geometric_mean([frame[centre].to_numpy(np.float64) for frame in frames])
    for end in ends:
        if parts := [(frame[end] / frame[centre]).to_numpy(np.float64) for frame in frames if end in frame]:
            out[end] = out[centre] * _geometric_mean(parts)
    return out


def _geometric_mean(parts: Sequence[Float]) -> Float:
    """Return the mean (n,) of the positive values of each row; NaN where there is none."""
    values = np.stack(parts)
    known = np.isfinite(values) & (values > 0)
    logs, count = np.log(np.where(known, values, 1.0)).sum(axis=0), known.sum(axis=0)
    return np.asarray(np.exp(np.divide(logs, count, out=np.full(len(logs), np.nan), where=count > 0)))


def pool_weights(logs: Float, labels: npt.ArrayLike, shrinkage: float) -> Float:
    r"""Return the weights of a logarithmic pool that minimise its log loss, shrunk to equal ones.

    Minimises :math:`-\sum_i \ln p_{i,y_i}(w) - \frac{s}{K} \sum_k \ln w_k` over the simplex: as if ``shrinkage``
    further rows had said that all members are equally good. Convex, so the optimum is unique.

    Parameters
    ----------
    logs
        Logarithms of the members' probabilities, (n, K, 3), on rows that they were not fitted on.
    labels
        Classes (n,).
    shrinkage
        s, in rows.
    """
    y = np.asarray(labels, dtype=np.int64)
    count, members = logs.shape[:2]
    chosen = logs[np.arange(count), :, y]

    def objective(free: Float) -> tuple[float, Float]:
        w = softmax(free[None])[0]
        mixed = np.einsum("k,nkc->nc", w, logs)
        top = mixed.max(axis=1, keepdims=True)
        odds = np.exp(mixed - top)
        total = odds.sum(axis=1, keepdims=True)
        loss = (np.log(total) + top)[:, 0] - chosen @ w
        slope = np.einsum("nkc,nc->k", logs, odds / total) - chosen.sum(axis=0)
        value = loss.sum() - shrinkage / members * np.log(w).sum()
        gradient = w * (slope - w @ slope) - shrinkage / members * (1.0 - members * w)
        return float(value) / count, gradient / count

    found = minimize(objective, np.zeros(members), jac=True, method="BFGS")
    return np.asarray(softmax(found.x[None])[0])

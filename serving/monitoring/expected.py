r"""Skill that forecasts expect of themselves, before any outcome is known.

A calibrated forecast knows its own expected loss: of probabilities p it is their entropy, and its expected gain on a
baseline q the divergence :math:`KL(p \| q)`. A variance forecast f expects the gain :math:`f/b - 1 - \ln(f/b)` on b;
its own QLIKE depends on how far outcomes scatter, which its interval says: :math:`s^2/2` for a log-normal outcome with
mean f and standard deviation s of its logarithm. An interval that contains the share c of outcomes has the width
:math:`2 \Phi^{-1}((1 + c)/2) s`, and c is what it contained at the version's test: intervals of new models are wider
than their nominal level on purpose, and with that level the loss would be overstated. These figures are right only as
far as forecasts are calibrated: they show early that a model has less to say, and outcomes show later whether it was
right.

References
----------
Gneiting & Raftery (2007). Strictly proper scoring rules. JASA 102, 359-378 (entropy and divergence of a score).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from configs.values import Kind
from serving.monitoring.forecast_rows import BASELINE, probabilities, variances
from training.metrics.ratio import Array

_FLOOR = 1e-15
_COVERED = (0.5, 0.995)  # shares of outcomes that say how they scatter


class ExpectedSkill(NamedTuple):
    """Mean expected loss (log loss or QLIKE) and mean expected gain on the baseline over ``rows``; NaN if unknown."""

    rows: int
    loss: float
    gain: float


def expected_skill(
    kind: Kind, frame: pd.DataFrame, covered: Mapping[str, float] | None = None, baseline: str | None = None
) -> ExpectedSkill:
    """Return what forecasts, rows of :mod:`serving.monitoring.forecast_rows`, expect of themselves.

    Parameters
    ----------
    covered
        By version, the share of outcomes inside its intervals at its test; others have that of the column ``level``.
    """
    name = BASELINE[kind] if baseline is None else baseline
    if kind == "direction":
        p, q = (np.maximum(one, _FLOOR) for one in (probabilities(frame), probabilities(frame, name)))
        loss, gain = -(p * np.log(p)).sum(axis=1), (p * np.log(p / q)).sum(axis=1)
        return ExpectedSkill(len(frame), _mean(loss), _mean(gain))
    f, ratio = variances(frame), variances(frame) / variances(frame, name)
    loss = _scatter(frame, covered or {}) ** 2 / 2.0 + 0.0 * f
    return ExpectedSkill(len(frame), _mean(loss), _mean(ratio - 1.0 - np.log(ratio)))


def _scatter(frame: pd.DataFrame, covered: Mapping[str, float]) -> Array:
    """Return the standard deviation (n,) of the logarithm of outcomes that intervals imply; NaN without one."""
    if not {"low", "high", "level"} <= set(frame.columns):
        return np.full(len(frame), np.nan)
    low, high, level = (frame[name].to_numpy(np.float64, na_value=np.nan) for name in ("low", "high", "level"))
    if covered and "version" in frame.columns:
        tested = frame["version"].map(covered).to_numpy(np.float64)
        level = np.where(np.isfinite(tested), np.clip(tested, *_COVERED), level)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.log(high / low)
    return np.asarray(np.where(np.isfinite(width), width, np.nan) / (2.0 * norm.ppf(0.5 + level / 2.0)))


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")

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

from configs.values import Kind
from serving.monitoring.forecast_rows import BASELINE, JUDGED_KINDS
from training.metrics.ratio import Array


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
    loss, gain = JUDGED_KINDS[kind].expected(frame, name, covered or {})
    return ExpectedSkill(len(frame), _mean(loss), _mean(gain))


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")

"""The same maximum as found by ``arch``, with finite differences: slow, for what Newton's method cannot do."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from training.models.volatility.fleet_state import Float
from training.models.volatility.garch.constrained_newton import Maximum
from training.models.volatility.garch.recursions import GarchType


def fit_with_arch(returns: Float, kind: GarchType) -> Maximum:
    """Return ``arch``'s maximum of the likelihood of standardised returns (n,): parameters μ, ω, α, γ, β, η (6,)."""
    from arch.univariate import ConstantMean, StudentsT

    model = ConstantMean(returns, volatility=_process(kind), distribution=StudentsT(), rescale=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = model.fit(disp="off", show_warning=False)
        except (ArithmeticError, RuntimeError, ValueError, np.linalg.LinAlgError):
            return Maximum(np.full(6, np.nan), -math.inf, False)
    found = result.params
    names = ("mu", "omega", "alpha[1]", "gamma[1]", "beta[1]")
    parameters = np.array([*(float(found.get(name, 0.0)) for name in names), 1.0 / float(found["nu"])])
    return Maximum(parameters, float(result.loglikelihood), bool(result.convergence_flag == 0))


def _process(kind: GarchType) -> Any:
    from arch.univariate import EGARCH, GARCH

    processes: dict[GarchType, Any] = {"GARCH": GARCH(1, 0, 1), "GJR": GARCH(1, 1, 1), "EGARCH": EGARCH(1, 1, 1)}
    return processes[kind]

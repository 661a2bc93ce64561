r"""A control chart of losses, with the mean time between its false signals as a number.

:math:`C_t = \max(0, C_{t-1} + z_t - k)` signals at :math:`C_t \ge h`. The mean run length L from z solves
:math:`L(z) = 1 + L(0) \Phi(k - z) + \int_0^h L(x) \phi(x + k - z) dx` for normal observations, which Gauss-Legendre
quadrature turns into linear equations. Real losses are not normal and not independent: a signal says *watch*, and
alarms come from :mod:`serving.monitoring.e_process`, which assumes neither.

References
----------
Page (1954). Continuous inspection schemes. Biometrika 41, 100-115, eq. 6.
Goel & Wu (1971). Determination of A.R.L. and a contour nomogram for cusum charts. Technometrics 13, 221-230.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

ALLOWANCE = 0.5  # half of the shift, in standard deviations, that is found quickest
_NODES = 60
_LARGEST = 20.0  # signals once in a billion observations
_SHORTEST = 3.5  # a limit of 0 signals after 3.2 observations
_CLIP = 3.0  # one outlier is no shift


def run_length(limit: float, allowance: float = ALLOWANCE, shift: float = 0.0) -> float:
    """Return the mean number of observations until a one-sided chart that starts at 0 signals.

    Parameters
    ----------
    limit, allowance
        h and k, in standard deviations of an observation.
    shift
        The mean of the observations; 0 for in control.

    Examples
    --------
    >>> round(run_length(5.0)), round(run_length(6.678, shift=1.0), 1)
    (931, 13.7)
    """
    if not limit > 0.0:
        raise ValueError(f"limit is {limit!r}; expected a number above 0")
    k = allowance - shift
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    x, w = limit * (nodes + 1.0) / 2.0, limit * weights / 2.0
    start = np.concatenate([[0.0], x])  # L at 0 and at the nodes
    matrix = np.eye(_NODES + 1)
    matrix[:, 0] -= norm.cdf(k - start)
    matrix[:, 1:] -= w * norm.pdf(x[None, :] + k - start[:, None])
    return float(np.linalg.solve(matrix, np.ones(_NODES + 1))[0])


@lru_cache(maxsize=32)
def limit_of(observations: float, allowance: float = ALLOWANCE) -> float:
    """Return the limit h with this mean number of observations between false signals, at least 3.5."""
    longest = max(float(observations), _SHORTEST)
    return float(brentq(lambda limit: np.log(run_length(limit, allowance) / longest), 0.01, _LARGEST, xtol=1e-10))


def next_sum(before: float, z: float, allowance: float = ALLOWANCE) -> float:
    """Return C after one standardised observation, which is bounded at ±3."""
    return max(0.0, before + float(np.clip(z, -_CLIP, _CLIP)) - allowance)

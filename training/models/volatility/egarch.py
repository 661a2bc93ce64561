"""EGARCH(1,1): the recursion of a log variance, and its closed-form mean over the next bars. Pure functions.

``ln σ²_{t+1} = ω + α (|z_t| − √(2/π)) + γ z_t + β ln σ²_t`` with ``z = e / σ`` (Nelson 1991, Econometrica 59).
Parameters are μ, ω, α, γ, β, of log returns per bar.
"""

from __future__ import annotations

import math

import numpy as np

from training.models.volatility.fleet_state import Float, Ints

BACKCAST = 75  # arch starts its recursions from the exponentially weighted mean of this many squared residuals

_DECAY = 0.94
_MEAN_SIZE = math.sqrt(2.0 / math.pi)  # of a standard normal variable
_MOST = 50.0  # of a log variance: beyond, the recursion has exploded


def backcast(square: Float) -> float:
    """Return the mean of the first 75 squared residuals (n,) with weights 0.94^i."""
    weights = _DECAY ** np.arange(min(BACKCAST, len(square)))
    return float(weights @ square[: len(weights)] / weights.sum())


def egarch_filter(parameters: Float, returns: Float) -> Float:
    """Return σ²_{t+1} (n,) after each return (n,), equal to ``arch``'s recursion within its bounds."""
    mu, omega, alpha, gamma, beta = (float(value) for value in parameters)
    residual = returns - mu
    log_variance = omega + beta * math.log(max(backcast(residual**2), 1e-300))
    out = np.empty(len(returns))
    for t, error in enumerate(residual.tolist()):
        log_variance = min(max(log_variance, -_MOST), _MOST)
        z = error * math.exp(-0.5 * log_variance)
        log_variance = omega + alpha * (abs(z) - _MEAN_SIZE) + gamma * z + beta * log_variance
        out[t] = log_variance
    return np.asarray(np.exp(np.clip(out, -_MOST, _MOST)))


def egarch_mean(parameters: Float, variance: Float, index: Ints, horizon: int) -> Float:
    """Return the mean of E σ²_{t+k} (n,) over k = 1 … ``horizon``, given σ²_{t+1} (n,) and each row's symbol.

    ``E σ²_{t+k} = exp(ω (1 + … + β^{k−2}) + β^{k−1} ln σ²_{t+1}) Π_{i<k−1} E exp(β^i g(z))`` for normal z: with
    Student's t the expectation does not exist.
    """
    _, omega, alpha, gamma, beta = parameters.T
    logs, total = np.log(variance), np.zeros(len(variance))
    constant, power = np.zeros(len(parameters)), np.ones(len(parameters))
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(horizon):
            total += np.exp(constant[index] + power[index] * logs)
            constant = constant + omega * power + _log_mean_shock(power * alpha, power * gamma)
            power = power * beta
    return total / horizon


def _log_mean_shock(alpha: Float, gamma: Float) -> Float:
    """Return ln E exp(α (|z| − √(2/π)) + γ z) of a standard normal z, (S,)."""
    from scipy.special import log_ndtr

    up, down = alpha + gamma, alpha - gamma
    both = np.logaddexp(0.5 * up**2 + log_ndtr(up), 0.5 * down**2 + log_ndtr(down))
    return np.asarray(both - alpha * _MEAN_SIZE)

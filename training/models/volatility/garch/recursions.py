"""What differs between GARCH, GJR and EGARCH in estimation: guesses, limits, and the unit of ω.

Limits are those of ``arch``. The likelihood can have several maxima: variance that returns within days, variance that
persists for months, and a slow decay from the first weeks that ignores all later shocks. ``guesses`` has a group for
each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from training.models.volatility.fleet_state import Float
from training.models.volatility.garch.likelihood import ETA
from training.models.volatility.garch.log_variance import (
    ALPHA,
    BETA,
    GAMMA,
    OMEGA,
    EgarchLogVariance,
    GarchLogVariance,
    LogVariance,
)

GarchType = Literal["GARCH", "EGARCH", "GJR"]
Limit = tuple[dict[int, float], float]  # coefficients of parameters, and the least value of their sum

_FEWEST, _MOST = 2.05, 500.0  # degrees of freedom
_TAIL: tuple[Limit, ...] = (({ETA: 1.0}, 1.0 / _MOST), ({ETA: -1.0}, -1.0 / _FEWEST))


class Guess(NamedTuple):
    """Where a search starts: α, γ, how persistent variance is, and its long-run level over the returns' variance."""

    alpha: float
    gamma: float
    persistence: float
    level: float = 1.0


@dataclass(frozen=True, slots=True)
class RecursionSpec:
    """One kind of GARCH.

    ``dynamics(guess, variance)`` are ω, α, γ, β of a guess for returns of this variance. ``limits(variance)`` are
    linear. ``omega(ω, β, factor)`` is ω after returns are multiplied by a factor.
    """

    variance: type[LogVariance]
    has_gamma: bool
    guesses: tuple[tuple[Guess, ...], ...]
    dynamics: Callable[[Guess, float], tuple[float, float, float, float]]
    limits: Callable[[float], tuple[Limit, ...]]
    omega: Callable[[float, float, float], float]

    def constraints(self, variance: float) -> tuple[Float, Float]:
        """Return normals (m, 6) and limits (m,) for returns of this variance."""
        limits = self.limits(variance) + _TAIL
        normals = np.zeros((len(limits), ETA + 1))
        for row, (coefficients, _) in zip(normals, limits, strict=True):
            row[list(coefficients)] = list(coefficients.values())
        return normals, np.array([least for _, least in limits])


def _dynamics(guess: Guess, variance: float) -> tuple[float, float, float, float]:
    alpha, gamma, persistence, level = guess
    return (1.0 - persistence) * level * variance, alpha, gamma, persistence - alpha - 0.5 * gamma


def _limits(variance: float) -> tuple[Limit, ...]:
    return (
        ({OMEGA: 1.0}, 1e-8 * variance),
        ({OMEGA: -1.0}, -10.0 * variance),
        ({ALPHA: 1.0}, 0.0),
        ({ALPHA: 1.0, GAMMA: 1.0}, 0.0),
        ({BETA: 1.0}, 0.0),
        ({ALPHA: -1.0, GAMMA: -0.5, BETA: -1.0}, -1.0),
        ({ALPHA: -1.0}, -1.0),
    )


def _log_dynamics(guess: Guess, variance: float) -> tuple[float, float, float, float]:
    alpha, gamma, beta, level = guess
    return (1.0 - beta) * math.log(level * variance), alpha, gamma, beta


def _log_limits(variance: float) -> tuple[Limit, ...]:
    level, width = math.log(variance), math.log(1e4)
    return (
        ({OMEGA: 1.0}, level - width),
        ({OMEGA: -1.0}, -level - width),
        ({BETA: 1.0}, 0.0),
        ({BETA: -1.0}, -1.0),
    )


_BRIEF = (Guess(0.03, 0.12, 0.5), Guess(0.3, 0.2, 0.5), Guess(0.1, 0.1, 0.8))
_LASTING = (Guess(0.02, 0.02, 0.95), Guess(0.1, 0.1, 0.95), Guess(0.03, 0.06, 0.99), Guess(0.2, 0.1, 0.99))
_DECAY = (Guess(0.001, 0.001, 0.995), Guess(0.001, 0.001, 0.99, level=0.3))
_GUESSES = (_BRIEF, _LASTING, _DECAY)
_SYMMETRIC = tuple(tuple(one._replace(alpha=one.alpha + 0.5 * one.gamma, gamma=0.0) for one in g) for g in _GUESSES)
_LOG_GUESSES = (
    (Guess(0.1, -0.05, 0.6), Guess(0.3, -0.1, 0.6)),
    (Guess(0.1, -0.05, 0.95), Guess(0.2, -0.05, 0.98)),
)


def _squared(omega: float, beta: float, factor: float) -> float:
    return omega * factor**2


def _logarithmic(omega: float, beta: float, factor: float) -> float:
    return omega + 2.0 * math.log(factor) * (1.0 - beta)


_GJR = (_dynamics, _limits, _squared)
RECURSIONS: dict[GarchType, RecursionSpec] = {
    "GJR": RecursionSpec(GarchLogVariance, True, _GUESSES, *_GJR),
    "GARCH": RecursionSpec(GarchLogVariance, False, _SYMMETRIC, *_GJR),
    "EGARCH": RecursionSpec(EgarchLogVariance, True, _LOG_GUESSES, _log_dynamics, _log_limits, _logarithmic),
}

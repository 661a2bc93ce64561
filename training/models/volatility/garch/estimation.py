"""Maximum likelihood of one symbol's GARCH(1,1), GJR or EGARCH with Student's t shocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from training.models.volatility.fleet_state import Float
from training.models.volatility.garch.by_arch import fit_with_arch
from training.models.volatility.garch.constrained_newton import Constraints, Maximum, maximise
from training.models.volatility.garch.likelihood import ETA, StudentLikelihood
from training.models.volatility.garch.log_variance import BETA, GAMMA, MU, OMEGA, RecursionStart
from training.models.volatility.garch.recursions import RECURSIONS, GarchType, Guess, RecursionSpec

MIN_RETURNS = 250

_FIRST_ETA = 1.0 / 5.0
_MARGIN = 12.0  # of log-likelihood: a group whose best guess is so far below the best of all is not searched
_TOLERANCE = 3e-5  # of log-likelihood, before a last step that makes the rest much smaller
_MOST_STEPS = 60


def estimate_garch(returns: Float, kind: GarchType = "GJR") -> Float:
    """Return μ, ω, α, γ, β (5,) by maximum likelihood on log returns (n,); see :mod:`..members.garch`.

    Shocks are Student's t, whose estimates a few jumps do not move. Where Newton's method does not converge, ``arch``
    searches with differences: the likelihood of an EGARCH has kinks, and often rises without bound on a few hundred
    returns.

    Parameters
    ----------
    returns : (n,)
        Log returns of train, oldest first.
    kind : str
        ``GJR``, ``GARCH`` (γ is 0) or ``EGARCH``.

    Raises
    ------
    ValueError
        Too few returns, no variation, or a search that did not converge; the message is the reason.
    """
    if len(returns) < MIN_RETURNS:
        raise ValueError(f"{len(returns)} returns, GARCH needs {MIN_RETURNS}")
    scale = float(np.std(returns))
    if not np.isfinite(scale) or np.count_nonzero(returns != returns[0]) < len(returns) // 2:
        raise ValueError("returns are not finite or most are equal")
    # In units of their own deviation, returns of every market have the size that the starts expect.
    standard = returns / scale
    found = best_fit(standard, RECURSIONS[kind])
    if not found.converged:
        found = fit_with_arch(standard, kind)
    if not found.converged:
        raise ValueError("GARCH did not converge")
    parameters = found.parameters[:ETA].copy()
    parameters[MU] *= scale
    parameters[OMEGA] = RECURSIONS[kind].omega(float(parameters[OMEGA]), float(parameters[BETA]), scale)
    return parameters


def best_fit(returns: Float, kind: RecursionSpec) -> Maximum:
    """Return the highest maximum that was found of the likelihood of standardised returns (n,).

    Its parameters (6,) are μ, ω, α, γ, β, η. The search starts from the best guess of each group.
    """
    first = RecursionStart.of(returns)

    def likelihood(parameters: Float) -> StudentLikelihood:
        return StudentLikelihood(kind.variance(parameters[:ETA], returns, first), float(parameters[ETA]))

    free = np.ones(ETA + 1, bool)
    free[GAMMA] = kind.has_gamma
    constraints = Constraints(*kind.constraints(float(returns.var())), free)
    found: list[Maximum] = []
    with np.errstate(all="ignore"):
        starts = sorted((_best_of(group, kind, likelihood, returns) for group in kind.guesses), key=lambda one: -one[0])
        for value, start in starts:
            if value >= starts[0][0] - _MARGIN:
                found.append(maximise(likelihood, start, constraints, _TOLERANCE, _MOST_STEPS, found))
    return max(found, key=lambda one: (one.converged, one.value))


def _best_of(
    group: Sequence[Guess], kind: RecursionSpec, likelihood: Callable[[Float], StudentLikelihood], returns: Float
) -> tuple[float, Float]:
    """Return the highest log-likelihood of a group of guesses, and its parameters (6,)."""
    mean, variance = float(returns.mean()), float(returns.var())
    starts = [np.array([mean, *kind.dynamics(guess, variance), _FIRST_ETA]) for guess in group]
    values = [likelihood(start).value for start in starts]
    best = int(np.argmax(values))
    return values[best], starts[best]

"""Maximum likelihood of one symbol's GARCH(1,1), GJR or EGARCH with Student's t shocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.models.volatility.fleet_state import Float
from training.models.volatility.garch.by_arch import fit_with_arch
from training.models.volatility.garch.kinds import KINDS, GarchType, Kind
from training.models.volatility.garch.likelihood import ETA, StudentLikelihood
from training.models.volatility.garch.log_variance import BETA, GAMMA, MU, OMEGA, Start
from training.models.volatility.garch.newton import Constraints, Maximum, maximise

MIN_RETURNS = 250

_FIRST_ETA = 1.0 / 5.0
_MARGIN = 12.0  # of log-likelihood: a group of starts that begins so far below the best start is not searched
_TOLERANCE = 1e-4  # of log-likelihood, before a last step that makes the rest much smaller
_MOST_STEPS = 60
_ROUNDING = 1e-9


def estimate_garch(returns: Float, kind: GarchType = "GJR", previous: Float | None = None) -> Float:
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
    previous : (5,)
        Parameters of an earlier window, from which the search starts. They save steps and do not change the maximum.

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
    found = best_fit(standard, KINDS[kind], None if previous is None else _scaled(previous, kind, 1.0 / scale))
    if not found.converged:
        found = fit_with_arch(standard, kind)
    if not found.converged:
        raise ValueError("GARCH did not converge")
    return _scaled(found.parameters[:ETA], kind, scale)


def _scaled(parameters: Float, kind: GarchType, factor: float) -> Float:
    """Return the parameters (5,) of returns multiplied by a factor."""
    out = parameters.copy()
    out[MU] *= factor
    out[OMEGA] = KINDS[kind].omega(float(out[OMEGA]), float(out[BETA]), factor)
    return out


def best_fit(returns: Float, kind: Kind, previous: Float | None = None) -> Maximum:
    """Return the highest maximum that was found of the likelihood of standardised returns (n,).

    Its parameters (6,) are μ, ω, α, γ, β, η. The search starts from the best start of each group, or from ``previous``
    parameters (5,) in the group that they resemble.
    """
    first = Start.of(returns)

    def likelihood(parameters: Float) -> StudentLikelihood:
        return StudentLikelihood(kind.variance(parameters[:ETA], returns, first), float(parameters[ETA]))

    free = np.ones(ETA + 1, bool)
    free[GAMMA] = kind.has_gamma
    constraints = Constraints(*kind.constraints(float(returns.var())), free)
    found: list[Maximum] = []
    with np.errstate(all="ignore"):
        for start in _starts(likelihood, kind, constraints, returns, previous):
            found.append(maximise(likelihood, start, constraints, tolerance=_TOLERANCE, most=_MOST_STEPS))
    return max(found, key=lambda one: (one.converged, one.value))


def _starts(
    likelihood: Callable[[Float], StudentLikelihood],
    kind: Kind,
    constraints: Constraints,
    returns: Float,
    previous: Float | None,
) -> list[Float]:
    """Return the parameters (6,) from which to search: of each promising group its best start, or the previous fit."""
    mean, variance = float(returns.mean()), float(returns.var())
    best, values = [], []
    for group in kind.starts:
        candidates = [np.array([mean, *kind.dynamics(start, variance), _FIRST_ETA]) for start in group]
        levels = [likelihood(candidate).value for candidate in candidates]
        best.append(candidates[int(np.argmax(levels))])
        values.append(max(levels))
    chosen = np.array(values) >= max(values) - _MARGIN
    if previous is not None:
        own, candidate = _group_of(kind, previous), np.append(previous, _FIRST_ETA)
        if _satisfies(candidate, constraints) and likelihood(candidate).value > values[own]:
            best[own], chosen[own] = candidate, True
    return [start for start, is_chosen in zip(best, chosen, strict=True) if is_chosen]


def _satisfies(parameters: Float, constraints: Constraints) -> bool:
    """Return whether a start (6,) satisfies the constraints, but for rounding, and leaves fixed parameters at 0."""
    inside = constraints.normals @ parameters > constraints.limits - _ROUNDING
    return bool(inside.all() and not parameters[~constraints.free].any())


def _group_of(kind: Kind, parameters: Float) -> int:
    """Return the group with the start that is nearest to parameters (5,)."""
    own = np.array(kind.start_of(parameters)[:3])
    return int(np.argmin([np.abs(np.array(group)[:, :3] - own).sum(axis=1).min() for group in kind.starts]))

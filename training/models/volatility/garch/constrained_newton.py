"""Newton's method under linear constraints, for a smooth function of a few parameters.

Each step maximises the parabola with the function's gradient and Hessian within the constraints, which is a problem of
least distance (Lawson and Hanson 1974, Solving Least Squares Problems, ch. 23) that non-negative least squares solves.
Where the Hessian is not negative definite, the expected information takes its place in the directions concerned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri

from training.models.volatility.fleet_state import Float, Mask

_FLATTEST = 0.02  # curvature in units of the expected information, below which a step would be too long
_SUFFICIENT = 1e-4  # share of the promised rise that a step must reach (Armijo)
_SHORTEST = 1e-7
_STUCK = 0.01  # a search that cannot rise where a step promises less has met a kink of the function
_SAME = 0.05  # squared distance of two points in standard errors, below which they are one maximum
_RIDGE = 1e-9  # of a metric in which some parameters cannot be distinguished


class Point(Protocol):
    """A function's ``value`` at a point, −inf where it is not defined, and its derivatives."""

    value: float

    def derivatives(self) -> tuple[Float, Float]:
        """Return the gradient (k,) and the Hessian (k, k)."""
        ...

    def information(self) -> Float:
        """Return the expected information (k, k)."""
        ...


@dataclass(frozen=True)
class Constraints:
    """``normals @ parameters >= limits`` for normals (m, k), and which parameters are ``free`` (k,) to move."""

    normals: Float
    limits: Float
    free: Mask

    @cached_property
    def bounds(self) -> tuple[Float, Float]:
        """The least and greatest values of parameters (k,): the constraints of one parameter alone."""
        least, greatest = np.full(len(self.free), -np.inf), np.full(len(self.free), np.inf)
        for normal, limit in zip(self.normals, self.limits, strict=True):
            (positions,) = np.nonzero(normal)
            if len(positions) == 1:
                bound, position = limit / normal[positions[0]], positions[0]
                (least if normal[position] > 0.0 else greatest)[position] = bound
        return least, greatest

    def moved(self, parameters: Float, step: Float) -> Float:
        """Return parameters (k,) after a step (k,), within bounds that the step may miss by a rounding error."""
        least, greatest = self.bounds
        return np.asarray(np.minimum(np.maximum(parameters + step, least), greatest))


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where the search ended, the value there, and whether it is a maximum."""

    parameters: Float
    value: float
    converged: bool


def maximise(
    function: Callable[[Float], Point],
    start: Float,
    constraints: Constraints,
    tolerance: float,
    most: int,
    known: Sequence[Maximum],
) -> Maximum:
    """Return a local maximum, from a ``start`` (k,) that satisfies the constraints.

    The search has converged when a step promises a rise below ``tolerance``, which is taken: convergence is quadratic.
    It takes at most ``most`` steps. If a step leads to a ``known`` maximum, that is returned.
    """
    free, normals = constraints.free, constraints.normals[:, constraints.free]
    parameters, point = start, function(start)
    for _ in range(most):
        gradient, hessian = point.derivatives()
        root = _root(point, -hessian[np.ix_(free, free)], free)
        if root is None or not np.isfinite(gradient).all():
            break
        step = np.zeros(len(start))
        step[free] = _step(root, gradient[free], normals, constraints.limits - constraints.normals @ parameters)
        for one in known:
            if one.converged and np.sum((root.T @ (one.parameters - parameters - step)[free]) ** 2) < _SAME:
                return one
        rise, length = float(gradient @ step), 1.0
        ahead = function(target := constraints.moved(parameters, step))
        while not ahead.value >= point.value + _SUFFICIENT * length * rise:
            length *= 0.3
            if length < _SHORTEST:
                return Maximum(parameters, point.value, rise < _STUCK)
            ahead = function(target := constraints.moved(parameters, length * step))
        parameters, point = target, ahead
        if rise < tolerance:
            return Maximum(parameters, point.value, True)
    return Maximum(parameters, point.value, False)


def _root(point: Point, curvature: Float, free: Mask) -> Float | None:
    """Return L with L Lᵀ = ``curvature``, made positive definite if it is not; None if it cannot be."""
    if not np.isfinite(curvature).all():
        return None
    root, is_indefinite = dpotrf(curvature, lower=1, clean=1)
    if is_indefinite:
        information = point.information()[np.ix_(free, free)]
        try:
            root = np.linalg.cholesky(_definite(curvature, information))
        except np.linalg.LinAlgError:
            return None
    return np.asarray(root)


def _definite(curvature: Float, metric: Float) -> Float:
    """Return the curvature with the metric's where it is not positive, or so small that a step would be too long."""
    root = np.linalg.cholesky(metric + _RIDGE * np.diag(np.diag(metric)))
    inverse = np.linalg.inv(root)
    values, vectors = np.linalg.eigh(inverse @ curvature @ inverse.T)
    axes = root @ vectors
    return np.asarray((axes * np.where(values < _FLATTEST, 1.0, values)) @ axes.T)


def _step(root: Float, gradient: Float, normals: Float, least: Float) -> Float:
    """Return d that maximises gᵀd − ½ dᵀ L Lᵀ d with ``normals @ d >= least``, where L is ``root``; d = 0 does."""
    from scipy.optimize import nnls

    inverse, _ = dtrtri(root, lower=1)
    best = inverse @ gradient  # of y = Lᵀd without constraints
    sides = normals @ inverse.T
    short = least - sides @ best
    if (short > 0.0).any():
        equations = np.vstack([sides.T, short])
        target = np.zeros(len(equations))
        target[-1] = 1.0
        residual = equations @ nnls(equations, target)[0] - target
        best = best - residual[:-1] / residual[-1]
    return np.asarray(best @ inverse)

"""Small quadratic programs over the probability simplex, many at once."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np

from training.volatility.state import Float, Mask

_JITTER = 1e-9  # of the mean curvature: two equal members then share a weight instead of making a singular system


def solve_on_simplex(curvature: Float, linear: Float, allowed: Mask) -> Float:
    """Minimise ``½ θᵀAθ − bᵀθ`` exactly, with θ = (w, c): w on the simplex, c free.

    Parameters
    ----------
    curvature : (S, M + 1, M + 1)
        A, symmetric and positive semidefinite; the last row and column belong to c.
    linear : (S, M + 1)
        b.
    allowed : (S, M) bool
        Weights that may be positive; a row without any gets NaN.

    Returns
    -------
    (S, M + 1)
        θ. Every support is tried, 2^M − 1 of them: exact, and quick for the handful of members an ensemble has.
    """
    size, k = linear.shape
    members = k - 1
    scale = np.maximum(np.trace(curvature, axis1=1, axis2=2) / k, 1e-12)
    a = curvature + _JITTER * scale[:, None, None] * np.eye(k)
    best, theta = np.full(size, np.inf), np.full((size, k), np.nan)
    for support in chain.from_iterable(combinations(range(members), n) for n in range(1, members + 1)):
        rows = np.flatnonzero(allowed[:, support].all(axis=1))
        if not len(rows):
            continue
        free = [*support, members]
        system = np.zeros((len(rows), len(free) + 1, len(free) + 1))
        system[:, :-1, :-1] = a[rows][:, free][:, :, free]
        # The multiplier's row is scaled like the curvature, or a large or small A would spoil the conditioning.
        system[:, -1, : len(support)] = system[:, : len(support), -1] = scale[rows, None]
        right = np.concatenate([linear[rows][:, free], scale[rows, None]], axis=1)
        candidate = np.zeros((len(rows), k))
        candidate[:, free] = np.linalg.solve(system, right[..., None])[:, :-1, 0]
        value = 0.5 * np.einsum("si,sij,sj->s", candidate, a[rows], candidate) - (linear[rows] * candidate).sum(axis=1)
        better = (candidate[:, :members] >= -1e-12).all(axis=1) & (value < best[rows])
        best[rows[better]], theta[rows[better]] = value[better], candidate[better]
    weights = np.maximum(theta[:, :members], 0.0)
    theta[:, :members] = weights / weights.sum(axis=1, keepdims=True)
    return theta

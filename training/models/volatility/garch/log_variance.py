"""Log variances of GJR-GARCH(1,1) and EGARCH(1,1), with first and second derivatives by their parameters.

``s_t = ln σ²_t`` depends on μ, ω, α, γ, β. First derivatives obey the recursion of the variance with another input.
Second derivatives are needed only in sums Σ w_t ∂²s_t, so one backward pass of the adjoint recursion gives them all.
Recursions start as those of ``arch`` do, and are held within wide bounds, which bind on degenerate returns only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, Self

import numpy as np

from training.models.volatility.egarch import backcast
from training.models.volatility.fleet_state import Float

MU, OMEGA, ALPHA, GAMMA, BETA = range(5)

_MEAN_SIZE = math.sqrt(2.0 / math.pi)  # of a standard normal variable
_LEAST, _MOST = 1e-8, 1e7  # bounds of a variance over the mean and the largest square, as those of arch


@dataclass(frozen=True, slots=True)
class RecursionStart:
    """The ``backcast`` of σ² before the first return, ``bounds`` (n, 2) of σ²_t, and ``free`` (n, 2), infinite ones."""

    backcast: float
    bounds: Float
    free: Float

    @classmethod
    def of(cls, returns: Float) -> Self:
        """Return the start for returns (n,), which does not depend on the parameters."""
        square = (returns - returns.mean()) ** 2
        bounds, free = np.empty((2, len(returns), 2))
        bounds[:, 0], bounds[:, 1] = _LEAST * square.mean(), _MOST * (1.0 + square.max())
        free[:, 0], free[:, 1] = -np.inf, np.inf
        return cls(backcast(square), bounds, free)


class LogVariance(Protocol):
    """``residual`` (n,) are returns less μ, ``variance`` (n,) their σ²_t and ``values`` (n,) its logarithm s_t."""

    residual: Float
    variance: Float
    values: Float

    def __init__(self, parameters: Float, returns: Float, start: RecursionStart) -> None: ...

    def jacobian(self) -> Float:
        """Return ∂s_t by μ, ω, α, γ, β (5, n)."""
        ...

    def curvature(self, jacobian: Float, weights: Float, products: Float) -> Float:
        """Return Σ_t (w_t ∂²s_t + p_t ∂s_t ∂s_tᵀ) (5, 5) for ``weights`` w (n,) and ``products`` p (n,)."""
        ...


class GarchLogVariance:
    """``σ²_{t+1} = ω + (α + γ 1[e_t < 0]) e_t² + β σ²_t`` with ``e = r − μ``."""

    def __init__(self, parameters: Float, returns: Float, start: RecursionStart) -> None:
        self._parameters, self._start = parameters, start
        self.residual = returns - parameters[MU]
        self._square, self._fall = self.residual**2, np.minimum(self.residual, 0.0)
        self.variance = np.empty(len(returns))
        _recursion(parameters[1:].copy(), self._square, self.residual, start.backcast, start.bounds, self.variance)
        self.values = np.log(self.variance)

    def jacobian(self) -> Float:
        """Return ∂s_t by μ, ω, α, γ, β (5, n)."""
        before, (_, _, alpha, gamma, beta) = self._start.backcast, self._parameters
        out = np.empty((5, len(self.variance)))
        powers = np.full(len(self.variance), beta)
        powers[0] = 1.0
        np.add.accumulate(np.multiply.accumulate(powers), out=out[OMEGA])
        self._decay(-2.0 * (alpha * self.residual + gamma * self._fall), 0.0, out[MU])
        self._decay(self._square, before, out[ALPHA])
        self._decay(self._fall**2, 0.5 * before, out[GAMMA])
        self._decay(self.variance, before, out[BETA])
        out *= 1.0 / self.variance
        return out

    def curvature(self, jacobian: Float, weights: Float, products: Float) -> Float:
        """Return Σ_t (w_t ∂²s_t + p_t ∂s_t ∂s_tᵀ) (5, 5) for ``weights`` w (n,) and ``products`` p (n,)."""
        # Σ w_t/σ²_t ∂²σ²_t = Σ λ_t ∂²(input of t), where λ sums the weights of t and later, each decayed by β.
        adjoint = np.empty(len(weights))
        self._decay((weights / self.variance)[::-1].copy(), 0.0, adjoint)
        adjoint = adjoint[:0:-1]
        out = np.zeros((5, 5))
        out[BETA] = jacobian[:, :-1] @ (self.variance[:-1] * adjoint)
        out[MU, ALPHA] = -2.0 * (self.residual[:-1] @ adjoint)
        out[MU, GAMMA] = -2.0 * (self._fall[:-1] @ adjoint)
        out += out.T
        falling = np.where(self._fall[:-1] < 0.0, adjoint, 0.0).sum()
        out[MU, MU] = 2.0 * (self._parameters[ALPHA] * adjoint.sum() + self._parameters[GAMMA] * falling)
        return out + _products(jacobian, products - weights)

    def _decay(self, inputs: Float, first: float, out: Float) -> None:
        """Write x (n,) with x_0 = ``first`` and x_t = inputs_{t−1} + β x_{t−1} to ``out``."""
        beta = float(self._parameters[BETA])
        _recursion(np.array([0.0, 1.0, 0.0, beta]), inputs, inputs, first / (1.0 + beta), self._start.free, out)


def _recursion(parameters: Float, squares: Float, signs: Float, backcast: float, bounds: Float, out: Float) -> None:
    """Write x_t = ω + (α + γ 1[sign_{t−1} < 0]) square_{t−1} + β x_{t−1} within bounds to ``out`` (n,)."""
    _compiled().garch_recursion(parameters, squares, signs, out, 1, 1, 1, len(out), backcast, bounds)


@cache
def _compiled() -> Any:
    """Return ``arch``'s compiled recursions, which take long to import."""
    from arch.univariate import recursions

    return recursions


def _products(jacobian: Float, weights: Float) -> Float:
    """Return Σ_t w_t ∂s_t ∂s_tᵀ (5, 5)."""
    return np.asarray((jacobian * weights) @ jacobian.T)


class EgarchLogVariance:
    """``s_{t+1} = ω + α (|z_t| − √(2/π)) + γ z_t + β s_t`` with ``z = e / σ``."""

    def __init__(self, parameters: Float, returns: Float, start: RecursionStart) -> None:
        self._parameters = parameters
        self._first = math.log(start.backcast)
        self.residual, n = returns - parameters[MU], len(returns)
        self.variance, self.values, self._z, self._size = np.empty((4, n))
        dynamics = np.array(parameters[1:], dtype=float)
        _compiled().egarch_recursion(
            dynamics,
            self.residual,
            self.variance,
            1,
            1,
            1,
            n,
            self._first,
            start.bounds,
            self.values,
            self._z,
            self._size,
        )
        self._per_sigma = 1.0 / np.sqrt(self.variance)
        self._slope = -(parameters[ALPHA] * np.sign(self._z) + parameters[GAMMA]) * self._per_sigma  # by μ
        self._shock = parameters[ALPHA] * self._size + parameters[GAMMA] * self._z

    def jacobian(self) -> Float:
        """Return ∂s_t by μ, ω, α, γ, β (5, n)."""
        out = np.empty((5, len(self.residual)))
        out[:, 0] = 0.0, 1.0, 0.0, 0.0, self._first
        for row, inputs in zip(out, (self._slope, 1.0, self._size - _MEAN_SIZE, self._z, self.values), strict=True):
            row[1:] = inputs[:-1] if isinstance(inputs, np.ndarray) else inputs
        return self._solve(out.T, "N").T

    def curvature(self, jacobian: Float, weights: Float, products: Float) -> Float:
        """Return Σ_t (w_t ∂²s_t + p_t ∂s_t ∂s_tᵀ) (5, 5) for ``weights`` w (n,) and ``products`` p (n,)."""
        adjoint = self._solve(weights[:, None], "T")[1:, 0]
        before = jacobian[:, :-1]
        out = np.zeros((5, 5))
        for row, mixed in ((MU, self._slope), (ALPHA, self._size), (GAMMA, self._z)):
            out[row] = before @ (-0.5 * mixed[:-1] * adjoint)  # these inputs are in units of σ: ∂ by s is −½ of them
        out[BETA] = before @ adjoint
        scaled = self._per_sigma[:-1] * adjoint
        out[MU, ALPHA] -= np.sign(self._z[:-1]) @ scaled
        out[MU, GAMMA] -= scaled.sum()
        out += out.T
        products = products.copy()
        products[:-1] += 0.25 * self._shock[:-1] * adjoint
        return out + _products(jacobian, products)

    def _solve(self, inputs: Float, transposed: str) -> Float:
        """Return x (n, k) with x_t = inputs_t + (β − ½ (α |z| + γ z)_{t−1}) x_{t−1}, or of the adjoint recursion."""
        from scipy.linalg.lapack import dtbtrs

        band = np.ones((2, len(inputs)))
        band[1] = 0.5 * self._shock - self._parameters[BETA]
        out, _ = dtbtrs(band, inputs, uplo="L", trans=transposed, diag="U")
        return np.asarray(out)

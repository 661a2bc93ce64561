"""The log-likelihood of returns with Student's t shocks of unit variance, and its derivatives.

``l_t = c(ν) − ½ s_t − (ν + 1)/2 ln(1 + e_t² / ((ν − 2) σ²_t))`` (Bollerslev 1987, Rev. Econ. Stat. 69, eq. 3). The
parameters are μ, ω, α, γ, β of the log variance s and η = 1/ν, in which the likelihood of nearly normal returns is
close to a parabola.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from scipy.special import digamma, gammaln, zeta

from training.models.volatility.fleet_state import Float
from training.models.volatility.garch.log_variance import MU, LogVariance

ETA = 5


class StudentLikelihood:
    """The log-likelihood ``value`` of one log variance and η, and what its maximisation needs.

    ``value`` is −inf where it is not defined.
    """

    def __init__(self, variance: LogVariance, eta: float) -> None:
        self._variance, self._nu = variance, 1.0 / eta
        nu, n = self._nu, len(variance.values)
        square, spread = variance.residual**2, (nu - 2.0) * variance.variance
        self._total, self._ratio = square + spread, square / spread
        self._logs = float(np.add.reduce(np.log1p(self._ratio)))
        constant = gammaln(0.5 * (nu + 1.0)) - gammaln(0.5 * nu) - 0.5 * math.log(math.pi * (nu - 2.0))
        value = n * constant - 0.5 * np.add.reduce(variance.values) - 0.5 * (nu + 1.0) * self._logs
        self.value = float(value) if np.isfinite(value) else -math.inf

    @cached_property
    def _jacobian(self) -> Float:
        return self._variance.jacobian()

    def derivatives(self) -> tuple[Float, Float]:
        """Return the gradient (6,) and the Hessian (6, 6)."""
        nu, n, residual, jacobian = self._nu, len(self._ratio), self._variance.residual, self._jacobian
        share = self._ratio / (1.0 + self._ratio)
        rest, pull = 1.0 - share, residual / self._total  # ∂l/∂μ is (ν + 1) pull
        score = 0.5 * (nu + 1.0) * share - 0.5  # ∂l/∂s
        mixed = share * rest
        sums, mixed_sum, pull_sum, pull_rest = share.sum(), share @ rest, pull.sum(), pull @ rest

        tail = 0.5 * n * (digamma(0.5 * (nu + 1.0)) - digamma(0.5 * nu) - 1.0 / (nu - 2.0))
        tail += 0.5 * ((nu + 1.0) / (nu - 2.0) * sums - self._logs)  # ∂l/∂ν
        curve = 0.25 * n * (zeta(2, 0.5 * (nu + 1.0)) - zeta(2, 0.5 * nu))
        curve += (0.5 * n + (nu - 2.0) * sums - 0.5 * (nu + 1.0) * (mixed_sum + sums)) / (
            nu - 2.0
        ) ** 2  # ∂²l/∂ν², where ζ(2, ·) is the trigamma function

        gradient = np.empty(6)
        gradient[:ETA] = jacobian @ score
        gradient[MU] += (nu + 1.0) * pull_sum
        gradient[ETA] = -(nu**2) * tail

        hessian = np.empty((6, 6))
        hessian[:ETA, :ETA] = self._variance.curvature(jacobian, score, -0.5 * (nu + 1.0) * mixed)
        cross = -(nu + 1.0) * (jacobian @ (pull * rest))
        hessian[MU, :ETA] += cross
        hessian[:ETA, MU] += cross
        hessian[MU, MU] -= (nu + 1.0) * float(((1.0 - 2.0 * share) / self._total).sum())
        by_nu = jacobian @ (0.5 * share - 0.5 * (nu + 1.0) / (nu - 2.0) * mixed)
        by_nu[MU] += pull_sum - (nu + 1.0) / (nu - 2.0) * pull_rest
        hessian[ETA, :ETA] = hessian[:ETA, ETA] = -(nu**2) * by_nu
        hessian[ETA, ETA] = nu**4 * curve + 2.0 * nu**3 * tail
        return gradient, hessian

    def information(self) -> Float:
        """Return the expected information of location, scale and ν of Student's t, by the parameters (6, 6)."""
        nu, n, jacobian = self._nu, len(self._ratio), self._jacobian
        scale = 2.0 * nu / (nu + 3.0)  # of the logarithm of Student's scale, which is ½ (s + ln(ν − 2) − ln ν)
        by_nu, mixed = 1.0 / (nu * (nu - 2.0)), -2.0 / ((nu + 1.0) * (nu + 3.0))
        own = 0.25 * (zeta(2, 0.5 * nu) - zeta(2, 0.5 * (nu + 1.0)))
        own -= (nu + 5.0) / (2.0 * nu * (nu + 1.0) * (nu + 3.0))
        out = np.empty((6, 6))
        out[:ETA, :ETA] = 0.25 * scale * (jacobian @ jacobian.T)
        out[MU, MU] += (nu + 1.0) / (nu + 3.0) * nu / (nu - 2.0) * (1.0 / self._variance.variance).sum()
        out[ETA, :ETA] = out[:ETA, ETA] = -(nu**2) * 0.5 * (scale * by_nu + mixed) * jacobian.sum(axis=1)
        out[ETA, ETA] = nu**4 * n * (own + 2.0 * by_nu * mixed + by_nu**2 * scale)
        return out

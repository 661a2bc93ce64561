r"""Calibration of class probabilities per symbol: softmax(a z + b), fitted on validation, shrunk to the pooled value.

One scale for all classes keeps the softmax's invariance: adding a constant to a row's logits changes
nothing, which class-wise scales would break. With a → 0 the forecast is the class frequency alone, so a
network without skill ends at the prior.

References
----------
Guo et al. (2017). On calibration of modern neural networks. ICML. Alexandari et al. (2020). Maximum
likelihood with bias-corrected calibration. ICML (scale and bias).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from training.metrics.classification import CLASSES, check_labels
from training.metrics.ratio import Array
from training.models.calibration.evidence import shrinkage_factor
from training.models.calibration.softmax_newton import MIN_SCALE, derivatives, newton, scores, softmax

Method = Literal["temperature", "vector", "none"]

_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class PooledCalibration:
    """The calibration that all symbols share.

    Attributes
    ----------
    parameters
        Scale and the biases of down, sideways and up, shape (4,).
    information
        Mean Hessian of the log loss of one row at these parameters, (4, 4): the information in one observation.
    drift
        Mean residual of the rows, p minus the observed class, (3,): an effect on all symbols alike, such as a bull
        market.
    """

    parameters: Array
    information: Array
    drift: Array


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Calibrations of S symbols: ``parameters`` (S, 4) as in :class:`PooledCalibration`, ``pooled`` (4,) for others."""

    parameters: Array
    pooled: Array

    def apply(self, logits: npt.ArrayLike, symbol_row: npt.ArrayLike) -> Array:
        """Return probabilities (n, 3) of logits (n, 3); ``symbol_row`` (n,) is each row's symbol, -1 for the pooled."""
        z = _check_logits(logits)
        row = np.asarray(symbol_row, dtype=np.int64)
        if row.shape != (len(z),) or (len(row) and (row.min() < -1 or row.max() >= len(self.parameters))):
            raise ValueError(f"symbol_row must be ({len(z)},) with values from -1 to {len(self.parameters) - 1}")
        theta = np.concatenate([self.parameters, self.pooled[None]])[row]
        return softmax(theta[:, :1] * z + theta[:, 1:])

    def take(self, symbols: npt.ArrayLike) -> Self:
        """Return the calibrations of the symbols at these positions, in this order."""
        return type(self)(self.parameters[np.asarray(symbols)], self.pooled)

    def shrunk(self, log_priors: Array, log_prior: Array | None, share: float | Array) -> Self:
        """Return calibrations that keep a share of each forecast's difference from its class prior, in logarithms.

        ``log_priors`` (S, 3) belong to the symbols, ``log_prior`` (3,) to the pooled calibration, which stays unchanged
        without one. ``share`` is one number, or one per symbol (S, 1).
        """
        own = np.concatenate([np.zeros((len(log_priors), 1)), log_priors], axis=1)
        parameters = share * self.parameters + (1.0 - share) * own
        if log_prior is None:
            return type(self)(parameters, self.pooled)
        common = float(np.mean(share))
        return type(self)(parameters, common * self.pooled + (1.0 - common) * np.concatenate([[0.0], log_prior]))

    def with_pooled(self) -> Self:
        """Return these calibrations with the pooled one as an additional last row."""
        return type(self)(np.concatenate([self.parameters, self.pooled[None]]), self.pooled)

    def to_arrays(self) -> dict[str, Array]:
        """Return ``parameters`` (S, 4) and ``pooled`` (4,)."""
        return {"parameters": self.parameters, "pooled": self.pooled}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Invert :meth:`to_arrays`."""
        return cls(arrays["parameters"].astype(np.float64), arrays["pooled"].astype(np.float64))


def fit_pooled(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    days: npt.ArrayLike,
    method: Method = "vector",
    prior: npt.ArrayLike | None = None,
    horizon: int = 1,
    caution: float = 1.0,
) -> PooledCalibration:
    """Fit the calibration that all symbols share on their validation rows.

    Probabilities are ``softmax(ln prior + a (z - ln prior))`` with a from :func:`.shrinkage_factor`. There are no free
    biases: a bull market in the validation year would set them, and they lost more in the next year than they had
    gained. The mean residual of all symbols is returned as ``drift``, which per-symbol fits subtract.

    Parameters
    ----------
    logits, labels, days
        Validation rows only, (n, 3), (n,) and (n,): on training rows the network is overconfident.
    method
        ``none`` is the identity; the others differ in the parameters that :func:`fit_calibrator` fits per symbol.
    prior
        Class frequencies (3,) of train; of ``labels`` if not given.
    horizon, caution
        See :func:`.shrinkage_factor`.
    """
    z, y = _check_logits(logits), check_labels(labels)
    if len(z) != len(y):
        raise ValueError(f"logits have {len(z)} rows and labels {len(y)}; expected the same")
    if method == "none":
        return PooledCalibration(_IDENTITY, _information(z, _IDENTITY), np.zeros(CLASSES))
    frequency = np.bincount(y, minlength=CLASSES) + 1.0 if prior is None else np.asarray(prior, dtype=np.float64)
    if frequency.shape != (CLASSES,) or not (frequency > 0).all():
        raise ValueError(f"prior {frequency!r} must be three positive class frequencies")
    log_prior = np.log(frequency) - np.log(frequency).mean()
    share = shrinkage_factor(np.broadcast_to(log_prior, z.shape), z - log_prior, y, days, horizon, caution)
    scale = max(share, MIN_SCALE)
    parameters = np.concatenate([[scale], (1.0 - scale) * log_prior])
    drift = scores(z, y, softmax(scale * z + parameters[1:])).mean(axis=0)[1:]
    return PooledCalibration(parameters, _information(z, parameters), drift)


def fit_calibrator(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    symbol_row: npt.ArrayLike,
    symbols: int,
    pooled: PooledCalibration,
    method: Method = "vector",
    shrinkage: float = 500.0,
    horizon: int = 1,
) -> Calibrator:
    """Fit one calibration per symbol, shrunk to the pooled one as if by ``shrinkage`` additional observations.

    The penalty is ``shrinkage / 2 · (θ - pooled)ᵀ I (θ - pooled)`` with I the information of one row, so a
    symbol's own rows count n / (n + shrinkage). The remaining deviation is multiplied by ``max(0, 1 - d/χ²)``,
    with χ² the score test of the pooled calibration on the symbol's rows and d its degrees of freedom, so that
    chance alone moves few symbols far. The pooled drift is subtracted from every row's residual. A result depends
    on the symbol's own rows and on ``pooled`` only. Symbols without rows, and all symbols under ``none``, get the
    pooled calibration.

    Parameters
    ----------
    logits, labels, symbol_row
        Validation rows (n, 3), (n,), (n,) with ``symbol_row`` in [0, symbols).
    horizon
        Bars that a label spans: that many rows with overlapping labels carry about the information of one.
    """
    z, y = _check_logits(logits), np.asarray(labels, dtype=np.int64)
    row = np.asarray(symbol_row, dtype=np.int64)
    if not len(z) == len(y) == len(row):
        raise ValueError(f"{len(z)} logits, {len(y)} labels and {len(row)} symbol rows; expected the same number")
    if len(row) and (row.min() < 0 or row.max() >= symbols):
        raise ValueError(f"symbol_row must lie in [0, {symbols})")
    if shrinkage < 0:
        raise ValueError(f"shrinkage {shrinkage} must not be negative")
    start = np.tile(pooled.parameters, (symbols, 1))
    if method == "none" or len(z) == 0:
        return Calibrator(start, pooled.parameters)
    order = np.argsort(row, kind="stable")
    z, y, row, free = z[order], check_labels(y)[order], row[order], _free(method)
    rows = np.bincount(row, minlength=symbols)
    common = np.concatenate(
        [np.bincount(row, z @ pooled.drift, symbols)[:, None], rows[:, None] * pooled.drift], axis=1
    )
    theta = newton(z, y, row, start, pooled.information, shrinkage * horizon, free, common)
    score = (derivatives(z, y, row, start)[0] - common)[:, free]
    inverse = np.linalg.pinv(pooled.information[np.ix_(free, free)], rcond=1e-10, hermitian=True)
    chi_square = np.einsum("si,ij,sj->s", score, inverse, score) / (np.maximum(rows, 1) * horizon)
    freedom = max(int(free.sum()) - 1, 1)
    factor = np.maximum(1.0 - freedom / np.maximum(chi_square, 1e-12), 0.0)
    return Calibrator(start + factor[:, None] * (theta - start), pooled.parameters)


def _information(z: Array, theta: Array) -> Array:
    row = np.zeros(len(z), dtype=np.int64)
    return np.asarray(derivatives(z, row, row, theta[None])[1][0] / len(z))


def _free(method: Method) -> npt.NDArray[np.bool_]:
    return np.array([True, *[method == "vector"] * CLASSES])


def _check_logits(logits: npt.ArrayLike) -> Array:
    z = np.asarray(logits, dtype=np.float64)
    if z.ndim != 2 or z.shape[1] != CLASSES or not np.isfinite(z).all():
        raise ValueError(f"logits have shape {z.shape}; expected finite values of shape (n, {CLASSES})")
    return z

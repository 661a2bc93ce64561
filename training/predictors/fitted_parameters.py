"""What was fitted, as a few numbers that can be followed through the windows of a walk-forward run.

They are read from the arrays of a block, as means over its symbols; numbers that are not finite are left out. Names
are ``PART.PARAMETER``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from features.labels import CLASSES
from training.data.arrays import Float, part_of
from training.models.calibration.calibrator import Calibrator
from training.models.linear.class_prior import ClassPrior
from training.models.linear.logistic import LogisticRegression
from training.models.volatility.anchor import FALLS, LAGS
from training.models.volatility.intervals import IntervalFleet
from training.models.volatility.members import catalog, combined
from training.models.volatility.regression import LinearFleet
from training.predictors.volatility_shared import SharedVolatility, members_from_arrays

_ANCHOR = ("constant", *(f"mean_{bars}" for bars in LAGS[:-1]), *(f"fall_{bars}" for bars in FALLS))


def volatility_parameters(arrays: Mapping[str, npt.NDArray[Any]], config: Config) -> dict[str, float]:
    """Return the weights of members, coefficients of the anchor, and what intervals, market and members were fitted to.

    ``weight.MEMBER`` and ``market.share`` are shared by all symbols. ``anchor.mean_5`` is the coefficient of the last
    5 bars' mean, ``anchor.fall_5`` that of their fall. ``garch.persistence`` is a member's own.
    ``interval.low`` and ``interval.high`` are quantiles of ln(y / f).
    """
    shared = SharedVolatility.from_arrays(arrays)
    weights = zip(combined(config.volatility), shared.combination.weights[0], strict=True)
    out = {f"weight.{spec.name}": float(weight) for spec, weight in weights}
    out["market.share"] = float(shared.market.share[0])
    anchor = LinearFleet.from_arrays(part_of(arrays, "linear")).anchor
    out |= {f"anchor.{name}": _mean(column) for name, column in zip(_ANCHOR, anchor.T, strict=True)}
    for name, fleet in members_from_arrays(arrays).items():
        if (parameters := catalog()[name].parameters) is not None:
            out |= {f"{name}.{key}": value for key, value in parameters(fleet).items()}
    ends = IntervalFleet.from_arrays(part_of(arrays, "interval")).ends
    return _known(out | {"interval.low": _mean(ends[:, 0]), "interval.high": _mean(ends[:, 1])})


def direction_parameters(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, float]:
    """Return the class prior, the calibration's scale, and the size and ridge of the logistic regression.

    ``calibration.scale`` multiplies logits: 0 means that forecasts are the class prior. ``logistic.size`` is the root
    of the sum of squared weights, and ``logistic.log10_ridge`` the logarithm of the ridge that validation chose.
    """
    calibrator = Calibrator.from_arrays(part_of(arrays, "calibration"))
    logistic = LogisticRegression.from_arrays(part_of(arrays, "logistic"))
    prior = ClassPrior.from_arrays(part_of(arrays, "prior")).probabilities
    out = {f"prior.{name}": _mean(column) for name, column in zip(CLASSES, prior.T, strict=True)}
    size = np.sqrt((logistic.weight.astype(np.float64) ** 2).sum(axis=(1, 2)))
    out |= {"calibration.scale": _mean(calibrator.parameters[:, 0]), "logistic.size": _mean(size)}
    with np.errstate(divide="ignore"):
        return _known(out | {"logistic.log10_ridge": _mean(np.log10(logistic.ridge))})


def _mean(values: Float) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _known(parameters: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in parameters.items() if np.isfinite(value)}

"""What all symbols of a direction model share, fitted once on a sample of them: regression, network, calibration."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from features.labels import CLASSES
from features.scaling import FleetScaler
from training.data.arrays import Arrays, Float, Float32, part_of, prefixed
from training.data.design import Design, choose_columns
from training.data.examples import Examples, Int64
from training.data.fleet_data import POOLED, fleet_data
from training.models.calibration.calibrator import Calibrator, PooledCalibration, fit_pooled
from training.models.calibration.conformal import PooledScores, pool_scores
from training.models.calibration.evidence import shrinkage_factor, standard_errors
from training.models.fleet.fit import FitPlan, fit_fleet, predict_fleet
from training.models.fleet.losses import corrected_cross_entropy
from training.models.fleet.network import FleetNetwork
from training.models.linear.class_prior import ClassPrior
from training.models.linear.logistic import LogisticRegression
from training.models.trust import trusted_share, with_evidence

logger = logging.getLogger(__name__)

TRUST_ROWS = 2_500.0  # independent rows of a fit whose difference from the class prior is halved


@dataclass(frozen=True, slots=True)
class DirectionPool:
    """One network's ``weights`` (1, P) on the features ``columns`` (1, k), and what belongs to it.

    ``calibration`` and ``scores`` come from validation rows of all symbols; ``logistic`` is the regression that the
    network corrects. ``scaler`` and ``prior``, with one row, are for symbols that were not fitted; ``trust`` is the
    share of a forecast's difference from the class prior that is kept, ``epochs`` (1,) those of the network and
    ``share`` the part of its correction that is kept.
    """

    weights: Float32
    columns: Int64
    calibration: PooledCalibration
    scores: PooledScores
    logistic: LogisticRegression
    scaler: FleetScaler
    prior: ClassPrior
    trust: float
    epochs: Int64
    share: float

    def to_arrays(self) -> Arrays:
        """Return plain arrays."""
        return {
            "weights": self.weights,
            "columns": self.columns,
            "calibration/parameters": self.calibration.parameters,
            "calibration/information": self.calibration.information,
            "calibration/drift": self.calibration.drift,
            "scores/quantiles": self.scores.quantiles,
            "scores/rows": np.array([self.scores.rows]),
            "trust": np.array([self.trust]),
            "epochs": self.epochs,
            "share": np.array([self.share]),
            **prefixed("logistic", self.logistic.to_arrays()),
            **prefixed("pooled/scaler", self.scaler.to_arrays()),
            **prefixed("pooled/prior", self.prior.to_arrays()),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert :meth:`to_arrays`."""
        calibration = PooledCalibration(
            *(arrays[f"calibration/{name}"] for name in ("parameters", "information", "drift"))
        )
        scores = PooledScores(arrays["scores/quantiles"], int(arrays["scores/rows"][0]))
        logistic = LogisticRegression.from_arrays(part_of(arrays, "logistic"))
        scaler = FleetScaler.from_arrays(part_of(arrays, "pooled/scaler"))
        prior = ClassPrior.from_arrays(part_of(arrays, "pooled/prior"))
        trust, share = (float(arrays[name][0]) for name in ("trust", "share"))
        weights, columns, epochs = arrays["weights"], arrays["columns"], arrays["epochs"]
        return cls(weights, columns, calibration, scores, logistic, scaler, prior, trust, epochs, share)


def fit_direction_pool(examples: Examples, config: Config, tested: DirectionPool | None = None) -> DirectionPool:
    """Fit one regression on these symbols, one network that corrects it, and the calibration of both.

    Columns, ridge, epochs and the share of the network are those of ``tested``, an earlier fit, if it is given.
    """
    part, panel = config.direction, examples.panel
    columns = tested.columns if tested else choose_columns(examples, config, pooled=True)
    design = Design.fit(examples, config, columns)
    network = direction_network(config, design)
    logistic = fit_logistic(examples, design, pooled=True, ridge=tested.logistic.ridge if tested else None)
    targets = corrected_targets(examples, design, logistic)
    data = fleet_data(examples, part.network.window, design, targets, pooled_rows=part.fit.pooled_rows)
    prior = ClassPrior.fit(*examples.labels("train"), len(examples.rows)).probabilities.mean(axis=0)
    plan = replace(
        FitPlan.of(part.fit, config.run.seed), epochs=part.fit.pooled_epochs, batch_size=part.fit.pooled_batch_size
    )
    initial = network.initial_weights((POOLED,), config.run.seed)
    fit = fit_fleet(network, corrected_cross_entropy, data, plan, initial, epochs=tested.epochs if tested else None)
    panel_rows, _ = examples.panel_rows(examples.part("valid"))
    labels = examples.targets[panel_rows].astype(np.int64)
    days = panel.dates[panel_rows]
    base, correction = targets[panel_rows, 1:], predict_fleet(network, fit.weights, data.buffer, data.valid)[0]
    share = tested.share if tested else shrinkage_factor(base, correction, labels, days, part.horizon)
    logits, weights = base + share * correction, network.scale_outputs(fit.weights, [share])
    calibration = fit_pooled(logits, labels, days, part.calibration, prior, part.horizon)
    shared = Calibrator(calibration.parameters[None], calibration.parameters)
    log_prior = np.broadcast_to(np.log(prior), logits.shape)
    shown = standard_errors(log_prior, logits - log_prior, labels, days, part.horizon)
    rows = sum(map(len, examples.train_and_valid()))
    trust = with_evidence(trusted_share(rows, len(examples.rows), TRUST_ROWS), shown)
    shared = shared.shrunk(np.log(prior)[None], np.log(prior), trust)
    logger.info(
        "pooled direction fit of %d symbols: %.2f of the network's correction kept, difference from the class prior "
        "trusted by %.2f (%d train and validation rows, %.1f standard errors of evidence)",
        len(examples.rows),
        share,
        trust,
        rows,
        shown,
    )
    scores = pool_scores(labels, shared.apply(logits, np.zeros(len(logits), np.int64)))
    common = FleetScaler.fit(examples.train_features(), config.features, pooled=True)
    shared_prior = ClassPrior(prior[None])
    return DirectionPool(
        weights, design.columns, calibration, scores, logistic, common, shared_prior, trust, fit.best_epoch, share
    )


def direction_network(config: Config, design: Design) -> FleetNetwork:
    """Return the architecture for the features of a design."""
    return FleetNetwork(config.direction.network, design.width, len(CLASSES))


def corrected_targets(examples: Examples, design: Design, logistic: LogisticRegression) -> Float32:
    """Return class and base logits (rows, 4) of the panel; only train and validation rows are filled.

    Base logits are the regression's, which the network corrects.
    """
    rows = examples.train_and_valid()
    panel_rows, _ = examples.panel_rows(rows)
    out = np.zeros((len(examples.targets), 1 + len(CLASSES)), np.float32)
    out[panel_rows, 0] = examples.targets[panel_rows]
    parts = enumerate(_last_bars(examples, rows, design))
    out[panel_rows, 1:] = np.concatenate([logistic.logits(part, np.full(len(part), i)) for i, part in parts])
    return out


def fit_logistic(examples: Examples, design: Design, *, pooled: bool, ridge: Float | None = None) -> LogisticRegression:
    """Fit the logistic regression on the last bar's scaled features, one for all symbols or one for each.

    Validation chooses the ridge unless it is given, (1,) or (S,).
    """
    rows = examples.train_and_valid()
    panel_rows, symbol = examples.panel_rows(rows)
    x = np.concatenate(list(_last_bars(examples, rows, design)))
    y = examples.targets[panel_rows].astype(np.int64)
    train = np.concatenate([np.arange(len(own)) < len(one.train) for own, one in zip(rows, examples.rows, strict=True)])
    if pooled:
        return LogisticRegression.fit_pooled(x, y, train, ~train, ridge=ridge)
    return LogisticRegression.fit_per_symbol(x, y, symbol, len(rows), train, ~train, ridge=ridge)


def _last_bars(examples: Examples, rows: Sequence[Int64], design: Design) -> Iterator[Float32]:
    """Yield each symbol's scaled features (n, k) of these rows."""
    panel = examples.panel
    for i, own in enumerate(rows):
        yield design.transform(panel.features[panel.rows(i)][own], i)

"""What a direction model fits for each symbol: its network, and its calibration on validation rows."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from configs.models import DirectionConfig
from configs.schema import Config
from training.data.arrays import Float, Float32
from training.data.design import Design
from training.data.examples import Examples, Int64
from training.data.fleet_data import FleetData, fleet_data
from training.models.calibration.calibrator import Calibrator, Method, fit_calibrator, fit_pooled
from training.models.calibration.conformal import LabelSets, fit_label_sets
from training.models.calibration.evidence import ALONE, shrinkage_factor, standard_errors
from training.models.fleet.fit import FitPlan, fit_fleet, predict_fleet
from training.models.fleet.losses import corrected_cross_entropy
from training.models.fleet.network import FleetNetwork
from training.models.linear.class_prior import ClassPrior
from training.models.linear.logistic import LogisticRegression
from training.models.trust import trusted_share, with_evidence
from training.predictors.direction_pool import TRUST_ROWS, DirectionPool, corrected_targets, direction_network


class NetworkChoices(NamedTuple):
    """What validation chose: features (S, k); ridges, epochs and shares (S,); one row where symbols share it."""

    columns: Int64
    ridge: Float
    epochs: Int64
    shares: Float


def fit_networks(
    examples: Examples,
    config: Config,
    design: Design,
    logistic: LogisticRegression,
    pool: DirectionPool | None,
    chosen: NetworkChoices | None = None,
) -> tuple[Float32, Int64, Float, dict[int, str]]:
    """Return weights (S, P), or (1, P) that all symbols share, their epochs and shares, and why symbols failed.

    Validation chooses epochs and shares (S,) unless an earlier fit has ``chosen`` them. Failures are by position.
    """
    part = config.direction
    if pool is not None and part.strategy == "pooled":
        return pool.weights, pool.epochs, np.array([pool.share]), {}
    network, plan = direction_network(config, design), FitPlan.of(part.fit, config.run.seed)
    if pool is None:
        initial = network.initial_weights(examples.panel.symbols, config.run.seed)
    else:
        initial = np.repeat(pool.weights, len(examples.panel.symbols), axis=0)
        plan = replace(plan, learning_rate=part.fit.finetune_learning_rate, shrinkage=part.fit.shrinkage)
    data = fleet_data(examples, part.network.window, design, corrected_targets(examples, design, logistic))
    fit = fit_fleet(network, corrected_cross_entropy, data, plan, initial, epochs=chosen.epochs if chosen else None)
    pooled = initial if pool else None
    shares = chosen.shares if chosen else validated_shares(network, fit.weights, pooled, examples, data, part.horizon)
    return shrink_to_shares(network, fit.weights, pooled, shares), fit.best_epoch, shares, fit.failures


def fit_calibration(
    examples: Examples, part: DirectionConfig, prior: ClassPrior, logits: Float32, pool: DirectionPool | None
) -> tuple[Calibrator, LabelSets]:
    """Fit calibrators and label sets on validation rows, shrunk to the pool's; without one each symbol is its own.

    ``logits`` (n, 3) are those of all validation rows.
    """
    count, log_priors = len(examples.rows), np.log(prior.probabilities)
    panel_rows, symbol = examples.panel_rows(examples.part("valid"))
    labels, dates = examples.targets[panel_rows].astype(np.int64), examples.panel.dates[panel_rows]
    if pool is not None:
        calibrator = fit_calibrator(
            logits,
            labels,
            symbol,
            count,
            pool.calibration,
            part.calibration,
            part.calibration_shrinkage,
            part.horizon,
        ).shrunk(log_priors, np.log(pool.prior.probabilities[0]), pool.trust)
    else:
        calibrator = calibrate_alone(logits, labels, symbol, dates, prior.probabilities, part.calibration, part.horizon)
        trust = []
        for i, (rows, own) in enumerate(zip(examples.rows, log_priors, strict=True)):
            mine = symbol == i
            start = np.broadcast_to(own, (np.sum(mine), 3))
            shown = standard_errors(start, logits[mine] - own, labels[mine], dates[mine], part.horizon)
            trust.append(with_evidence(trusted_share(len(rows.train) + len(rows.valid), 1, TRUST_ROWS), shown))
        calibrator = calibrator.shrunk(log_priors, None, np.array(trust)[:, None])
    probabilities, scores = calibrator.apply(logits, symbol), pool.scores if pool else None
    level, shrinkage = part.conformal_level, part.calibration_shrinkage
    return calibrator, fit_label_sets(labels, probabilities, symbol, count, scores, level, shrinkage)


def validated_shares(
    network: FleetNetwork, fitted: Float32, pooled: Float32 | None, examples: Examples, data: FleetData, horizon: int
) -> Float:
    """Return the share (S,) of each network's correction that its own validation rows support.

    Of networks that were adapted from ``pooled`` weights (S, P) it is the share of the change.
    """
    after = predict_fleet(network, fitted, data.buffer, data.valid)
    before = [np.zeros_like(z) for z in after]
    if pooled is not None:
        before = predict_fleet(network, pooled, data.buffer, data.valid)
    shares = np.zeros(len(fitted))
    for i, (rows, old, new) in enumerate(zip(examples.rows, before, after, strict=True)):
        wanted = data.targets[i, data.valid[i]]
        if np.isfinite(new).all() and np.isfinite(wanted).all():
            days, labels = examples.panel.dates[examples.panel.rows(i)][rows.valid], wanted[:, 0].astype(np.int64)
            shares[i] = shrinkage_factor(wanted[:, 1:] + old, new - old, labels, days, horizon, ALONE)
    return shares


def shrink_to_shares(network: FleetNetwork, fitted: Float32, pooled: Float32 | None, shares: Float) -> Float32:
    """Return each symbol's weights (S, P), shrunk to the shares (S,) that are kept.

    A network that was fitted from nothing is scaled; one that was adapted from ``pooled`` weights (S, P) stays adapted
    only where more than half of the change is kept.
    """
    if pooled is None:
        return network.scale_outputs(fitted, shares)
    return np.where(shares[:, None] > 0.5, fitted, pooled)


def calibrate_alone(
    logits: Float32,
    labels: Int64,
    symbol: Int64,
    dates: npt.NDArray[np.datetime64],
    priors: Float,
    method: Method,
    horizon: int,
) -> Calibrator:
    """Fit each symbol's calibration on its own rows (n,), as far as they show that it may leave its prior."""
    found = []
    for i, prior in enumerate(priors):
        own = symbol == i
        found.append(fit_pooled(logits[own], labels[own], dates[own], method, prior, horizon, ALONE).parameters)
    return Calibrator(np.stack(found), np.array([1.0, 0.0, 0.0, 0.0]))

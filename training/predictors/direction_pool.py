"""What all symbols of a direction model share, fitted once on a sample of them: regression, network, calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from features.labels import CLASSES
from features.panel import Panel
from features.scaling import FleetScaler
from training.data.arrays import Arrays, Float, Float32, part_of, prefixed
from training.data.buffers import POOLED, fleet_data
from training.data.examples import Examples, Int64
from training.data.feature_columns import choose_columns
from training.models.calibration.calibrator import Calibrator, Method, PooledCalibration, fit_pooled
from training.models.calibration.conformal import PooledScores, pool_scores
from training.models.calibration.evidence import ALONE, shrinkage_factor, standard_errors
from training.models.fleet.fit import FitPlan, fit_fleet, predict_fleet
from training.models.fleet.gather import FleetData
from training.models.fleet.losses import corrected_cross_entropy
from training.models.fleet.network import FleetNetwork
from training.models.linear.class_prior import ClassPrior
from training.models.linear.logistic import LogisticRegression
from training.models.trust import trusted_share, with_evidence

TRUST_ROWS = 2_500.0  # independent rows of a fit whose difference from the class prior is halved


@dataclass(frozen=True, slots=True)
class DirectionPool:
    """One network's ``weights`` (1, P) on the features ``columns`` (1, k), and what belongs to it.

    ``calibration`` and ``scores`` come from validation rows of all symbols; ``logistic`` is the regression that the
    network corrects. ``scaler`` and ``prior``, with one row, are for symbols that were not fitted; ``trust`` is the
    share of a forecast's difference from the class prior that is kept.
    """

    weights: Float32
    columns: Int64
    calibration: PooledCalibration
    scores: PooledScores
    logistic: LogisticRegression
    scaler: FleetScaler
    prior: ClassPrior
    trust: float

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
        trust = float(arrays["trust"][0])
        return cls(arrays["weights"], arrays["columns"], calibration, scores, logistic, scaler, prior, trust)


def fit_direction_pool(examples: Examples, config: Config) -> DirectionPool:
    """Fit one regression on these symbols, one network that corrects it, and the calibration of both."""
    part, panel = config.direction, examples.panel
    scaler = FleetScaler.fit(examples.train_features(), config.features)
    columns = choose_columns(examples, config, pooled=True)
    network = direction_network(config, columns)
    logistic = fit_logistic(examples, scaler, columns, pooled=True)
    targets = corrected_targets(examples, scaler, columns, logistic)
    data = fleet_data(examples, part.network.window, scaler, columns, targets, pooled_rows=part.fit.pooled_rows)
    prior = ClassPrior.fit(*examples.labels("train"), len(examples.rows)).probabilities.mean(axis=0)
    plan = replace(
        FitPlan.of(part.fit, config.run.seed), epochs=part.fit.pooled_epochs, batch_size=part.fit.pooled_batch_size
    )
    initial = network.initial_weights((POOLED,), config.run.seed)
    fit = fit_fleet(network, corrected_cross_entropy, data, plan, initial)
    places, _ = examples.places(examples.part("valid"))
    labels = examples.targets[places].astype(np.int64)
    days = panel.dates[places]
    base, correction = targets[places, 1:], predict_fleet(network, fit.weights, data.bank, data.valid)[0]
    share = shrinkage_factor(base, correction, labels, days, part.horizon)
    logits, weights = base + share * correction, network.scale_outputs(fit.weights, [share])
    calibration = fit_pooled(logits, labels, days, part.calibration, prior, part.horizon)
    shared = Calibrator(calibration.parameters[None], calibration.parameters)
    log_prior = np.broadcast_to(np.log(prior), logits.shape)
    shown = standard_errors(log_prior, logits - log_prior, labels, days, part.horizon)
    rows = sum(map(len, examples.train_and_valid()))
    trust = with_evidence(trusted_share(rows, len(examples.rows), TRUST_ROWS), shown)
    shared = shared.shrunk(np.log(prior)[None], np.log(prior), trust)
    scores = pool_scores(labels, shared.apply(logits, np.zeros(len(logits), np.int64)))
    common = FleetScaler.fit(examples.train_features(), config.features, pooled=True)
    return DirectionPool(weights, columns, calibration, scores, logistic, common, ClassPrior(prior[None]), trust)


def direction_network(config: Config, columns: Int64) -> FleetNetwork:
    """Return the architecture for these chosen features (S, k)."""
    return FleetNetwork(config.direction.network, columns.shape[1], len(CLASSES))


def base_logits(
    panel: Panel, rows: Sequence[Int64], scaler: FleetScaler, columns: Int64, logistic: LogisticRegression
) -> Float32:
    """Return the regression's logits (n, 3) of these rows of each symbol: what the network corrects."""
    parts = _last_bars(panel, rows, scaler, columns)
    logits = [logistic.logits(part, np.full(len(part), i)) for i, part in enumerate(parts)]
    return np.concatenate(logits).astype(np.float32)


def corrected_targets(examples: Examples, scaler: FleetScaler, columns: Int64, logistic: LogisticRegression) -> Float32:
    """Return class and base logits (rows, 4) of the panel; only train and validation rows are filled."""
    rows = examples.train_and_valid()
    places, _ = examples.places(rows)
    out = np.zeros((len(examples.targets), 1 + len(CLASSES)), np.float32)
    out[places, 0] = examples.targets[places]
    out[places, 1:] = base_logits(examples.panel, rows, scaler, columns, logistic)
    return out


def fit_logistic(examples: Examples, scaler: FleetScaler, columns: Int64, *, pooled: bool) -> LogisticRegression:
    """Fit the logistic regression on the last bar's scaled features, one for all symbols or one for each."""
    rows = examples.train_and_valid()
    places, symbol = examples.places(rows)
    x = np.concatenate(list(_last_bars(examples.panel, rows, scaler, columns)))
    y = examples.targets[places].astype(np.int64)
    train = np.concatenate([np.arange(len(own)) < len(one.train) for own, one in zip(rows, examples.rows, strict=True)])
    if pooled:
        return LogisticRegression.fit_pooled(x, y, train, ~train)
    return LogisticRegression.fit_per_symbol(x, y, symbol, len(rows), train, ~train)


def _last_bars(panel: Panel, rows: Sequence[Int64], scaler: FleetScaler, columns: Int64) -> Iterator[Float32]:
    """Yield each symbol's scaled features (n, k) of these rows."""
    for i, own in enumerate(rows):
        scaled = scaler.transform(panel.features[panel.rows(i)][own], i)
        yield scaled if columns.shape[1] == scaled.shape[1] else scaled[:, columns[i if len(columns) > 1 else 0]]


def shrink_to_validated(
    network: FleetNetwork, fitted: Float32, pooled: Float32 | None, examples: Examples, data: FleetData, horizon: int
) -> Float32:
    """Return each symbol's weights (S, P) as far as its own validation rows vouch for them.

    A network that was fitted from nothing is scaled by the share of its correction that is kept; one that was adapted
    from ``pooled`` weights (S, P) stays adapted only where more than half of the change is kept.
    """
    after = predict_fleet(network, fitted, data.bank, data.valid)
    before = [np.zeros_like(z) for z in after]
    if pooled is not None:
        before = predict_fleet(network, pooled, data.bank, data.valid)
    shares = np.zeros(len(fitted))
    for i, (rows, old, new) in enumerate(zip(examples.rows, before, after, strict=True)):
        wanted = data.targets[i, data.valid[i]]
        if np.isfinite(new).all() and np.isfinite(wanted).all():
            days, labels = examples.panel.dates[examples.panel.rows(i)][rows.valid], wanted[:, 0].astype(np.int64)
            shares[i] = shrinkage_factor(wanted[:, 1:] + old, new - old, labels, days, horizon, ALONE)
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

"""Price direction: down, sideways or up over the next bars, as calibrated probabilities with conformal label sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from features.bars import SymbolBars
from features.context import MarketContext
from features.panel import Panel
from features.scaling import FleetScaler
from features.selection import select_features
from training.baselines import ClassPrior, LogisticRegression
from training.calibration import Calibrator, PooledCalibration, fit_calibrator, fit_pooled
from training.conformal import LabelSets, PooledScores, fit_label_sets, pool_scores
from training.examples import Examples, joined_bank, padded_targets, scaled_bank, thinned_rows
from training.fleet.fit import FitPlan, fit_fleet, predict_fleet
from training.fleet.losses import cross_entropy
from training.fleet.network import FleetNetwork
from training.fleet.windows import FleetData
from training.metrics import log_loss_rows
from training.predictors.base import Arrays, BasePredictor, Float, Int64, part_of, prefixed

if TYPE_CHECKING:
    import pandas as pd

CLASSES = ("down", "sideways", "up")
POOLED = "*pooled*"


class PriceDirectionPredictor(BasePredictor):
    """A fleet of LSTM networks with multi-head attention, calibrated on validation.

    Early stopping may keep the initial weights, which forecast the class prior: a symbol whose validation year shows
    nothing to learn claims nothing.

    Example:
        >>> from features.sources import open_source
        >>> from features.store import Store
        >>> bars = list(open_source("embedded", Store("/tmp/store")).load(["AAPL", "IBM", "MSFT"]))
        >>> predictor = PriceDirectionPredictor().fit(bars)  # doctest: +SKIP
        >>> predictor.predict_direction(bars).columns.tolist()  # doctest: +SKIP
        ['down', 'sideways', 'up', 'label', 'confidence', 'label_set']
    """

    kind: ClassVar[str] = "direction"

    def fit_pooled(self, examples: Examples) -> Arrays:
        """Fit the shared network, its calibration and the pooled logistic baseline on these symbols."""
        if self.config.direction.strategy == "per_symbol":
            return {}
        part = self.config.direction
        scaler = self._fit_scaler(examples)
        columns = self._choose_columns(examples, pooled=True)
        bank = scaled_bank(examples.panel, scaler, columns)
        train, valid = thinned_rows(examples, part.fit.pooled_rows)
        series, train_ends = joined_bank(bank, train)
        _, valid_ends = joined_bank(bank, valid)
        targets = padded_targets(examples)
        network = self._network(columns.shape[1])
        prior = ClassPrior.fit(*_labels(examples, "train"), len(examples.rows)).probabilities.mean(axis=0)
        data = FleetData((POOLED,), series, targets.reshape(1, -1, 1), (train_ends,), (valid_ends,))
        plan = replace(self._plan(), epochs=part.fit.pooled_epochs, batch_size=part.fit.pooled_batch_size)
        initial = _with_prior(network, network.initial_weights([POOLED], self.config.run.seed), prior[None])
        fit = fit_fleet(network, cross_entropy, data, plan, initial)
        logits = predict_fleet(network, fit.weights, series, (valid_ends,))[0]
        rows, symbol = examples.global_rows("valid")
        labels = examples.targets[rows].astype(np.int64)
        days = _day_blocks(examples.panel.dates[rows], part.horizon)
        calibration = fit_pooled(logits, labels, part.calibration, days, prior)
        shared = Calibrator(calibration.parameters[None], calibration.parameters)
        scores = pool_scores(labels, shared.apply(logits, np.zeros(len(logits), np.int64)))
        logistic = self._fit_logistic(examples, scaler)
        return {
            "weights": fit.weights,
            "valid_loss": fit.valid_loss,
            "columns": columns[:1],
            "calibration/parameters": calibration.parameters,
            "calibration/information": calibration.information,
            "calibration/evidence": np.array([calibration.evidence]),
            "scores/quantiles": scores.quantiles,
            "scores/rows": np.array([scores.rows]),
            **prefixed("logistic", logistic.to_arrays()),
        }

    def fit_examples(self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Fit one network per symbol, or give every symbol the pooled one, as the strategy says."""
        part, seed = self.config.direction, self.config.run.seed
        count = len(examples.rows)
        self.feature_names = examples.panel.feature_names
        self._scaler = self._fit_scaler(examples)
        self._prior = ClassPrior.fit(*_labels(examples, "train"), count)
        self._columns = np.repeat(pooled["columns"], count, 0) if pooled else self._choose_columns(examples)
        network = self._network(self._columns.shape[1])
        bank = scaled_bank(examples.panel, self._scaler, self._columns)
        valid = tuple(rows.valid.astype(np.int32) for rows in examples.rows)
        failed: dict[int, str] = {}
        if part.strategy == "pooled":
            self._weights, self._weight_row = pooled["weights"], np.zeros(count, np.int64)
            self._best_epoch = np.zeros(count, np.int64)
        else:
            train = tuple(rows.train.astype(np.int32) for rows in examples.rows)
            data = FleetData(examples.panel.symbols, bank, padded_targets(examples), train, valid)
            if part.strategy == "finetuned":
                plan = replace(
                    self._plan(), learning_rate=part.fit.finetune_learning_rate, shrinkage=part.fit.shrinkage
                )
                initial = np.repeat(pooled["weights"], count, 0)
            else:
                plan = self._plan()
                initial = _with_prior(
                    network, network.initial_weights(examples.panel.symbols, seed), self._prior.probabilities
                )
            fit = fit_fleet(network, cross_entropy, data, plan, initial)
            self._weights, self._weight_row, failed = fit.weights, np.arange(count), fit.failures
            self._best_epoch = fit.best_epoch
        logits = predict_fleet(network, self._weights[self._weight_row], bank, valid)
        failed |= {i: "the network's outputs are not finite" for i, z in enumerate(logits) if not np.isfinite(z).all()}
        healthy = np.array([i for i in range(count) if i not in failed], np.int64)
        self._calibrate(examples, logits, healthy, pooled)
        self._logistic = (
            LogisticRegression.from_arrays(part_of(pooled, "logistic"))
            if pooled
            else self._fit_logistic(examples, self._scaler)
        )
        self.symbols = examples.panel.symbols
        if failed:
            self.failures = {self.symbols[i]: reason for i, reason in failed.items()}
            arrays = self.to_arrays()
            self.symbols = tuple(self.symbols[i] for i in healthy)
            self._load(arrays, healthy)
        return self

    def forecast(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, npt.NDArray[Any]]:
        """Return ``down, sideways, up`` (calibrated probabilities, float64), the baselines' and the label sets."""
        own = self._rows_of(panel)
        network = self._network(self._columns.shape[1])
        bank = scaled_bank(panel, self._scaler.take(own), self._columns[own])
        weights = self._weights[self._weight_row[own]]
        logits = np.concatenate(predict_fleet(network, weights, bank, tuple(r.astype(np.int32) for r in rows)))
        symbol = np.repeat(own, [len(r) for r in rows])
        probabilities = self._calibrator.apply(logits, symbol)
        sets = self._sets.sets(probabilities, symbol)
        out: dict[str, npt.NDArray[Any]] = {name: probabilities[:, i] for i, name in enumerate(CLASSES)}
        out |= {f"in_set_{name}": sets[:, i] for i, name in enumerate(CLASSES)}
        return out

    def adapt_label_sets(self, probabilities: Float, labels: Int64, symbol: Int64) -> npt.NDArray[np.bool_]:
        """Return label sets (n, 3) made walk-forward, and keep the state after the last outcome to serve with.

        Rows are each symbol's, in order of time; ``symbol`` (n,) are rows of this fleet. Coverage drifts when
        validation and what follows differ; the update uses an outcome only from ``horizon`` bars later on.
        """
        sets, self._sets = self._sets.walk_forward(probabilities, labels, symbol, self.config.direction.horizon)
        return sets

    def baselines(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, Float]:
        """Return what the forecasts are judged against: ``prior`` and ``logistic`` probabilities (n, 3)."""
        own = self._rows_of(panel)
        symbol = np.repeat(own, [len(r) for r in rows])
        last = [
            self._scaler.transform(panel.features[panel.rows(i)][r], int(own[i])) for i, r in enumerate(rows) if len(r)
        ]
        features = np.concatenate(last) if last else np.zeros((0, len(self.feature_names)), np.float32)
        return {"prior": self._prior.predict(symbol), "logistic": self._logistic.predict(features, symbol)}

    def predict_proba(
        self, bars: pd.DataFrame | SymbolBars | Sequence[SymbolBars], *, context: MarketContext | None = None
    ) -> pd.DataFrame:
        """Return calibrated probabilities ``down, sideways, up`` by ``(symbol, date)``."""
        return self.predict(bars, context=context)[list(CLASSES)]

    def predict_direction(
        self, bars: pd.DataFrame | SymbolBars | Sequence[SymbolBars], *, context: MarketContext | None = None
    ) -> pd.DataFrame:
        """Return probabilities, the likeliest ``label``, its ``confidence`` and the conformal ``label_set``."""
        found = self.predict(bars, context=context)
        out = found[list(CLASSES)].copy()
        values = out.to_numpy()
        members = found[[f"in_set_{name}" for name in CLASSES]].to_numpy()
        out["label"] = [CLASSES[i] for i in values.argmax(axis=1)]
        out["confidence"] = values.max(axis=1)
        out["label_set"] = [
            "|".join(name for name, member in zip(CLASSES, row, strict=True) if member) for row in members
        ]
        return out

    def row_losses(self, examples: Examples, part: str) -> tuple[Float, Int64]:
        """Return log losses in nats."""
        columns = self.forecast(examples.panel, [getattr(rows, part) for rows in examples.rows])
        rows, symbol = examples.global_rows(part)
        probabilities = np.stack([columns[name] for name in CLASSES], axis=1)
        return log_loss_rows(examples.targets[rows].astype(np.int64), probabilities), symbol

    def to_arrays(self) -> Arrays:
        """Return the fitted state; row *i* of ``weight_row`` says which row of ``weights`` symbol *i* uses."""
        return {
            "weights": self._weights,
            "weight_row": self._weight_row,
            "best_epoch": self._best_epoch,
            "columns": self._columns,
            "prior/probabilities": self._prior.probabilities,
            **prefixed("scaler", self._scaler.to_arrays()),
            **prefixed("calibration", self._calibrator.to_arrays()),
            **prefixed("sets", self._sets.to_arrays()),
            **prefixed("logistic", self._logistic.to_arrays()),
        }

    def _load(self, arrays: Mapping[str, npt.NDArray[Any]], rows: Int64) -> None:
        needed, self._weight_row = np.unique(arrays["weight_row"][rows], return_inverse=True)
        self._weights = arrays["weights"][needed]
        self._best_epoch, self._columns = arrays["best_epoch"][rows], arrays["columns"][rows]
        self._prior = ClassPrior(arrays["prior/probabilities"][rows])
        self._scaler = FleetScaler.from_arrays(part_of(arrays, "scaler")).take(rows)
        calibrator = Calibrator.from_arrays(part_of(arrays, "calibration"))
        self._calibrator = replace(calibrator, parameters=calibrator.parameters[rows])
        sets = LabelSets.from_arrays(part_of(arrays, "sets"))
        self._sets = replace(sets, offset=sets.offset[rows], error_rate=sets.error_rate[rows])
        logistic = LogisticRegression.from_arrays(part_of(arrays, "logistic"))
        if len(logistic.weight) > 1:
            logistic = LogisticRegression(logistic.weight[rows], logistic.intercept[rows], logistic.ridge[rows])
        self._logistic = logistic

    def _calibrate(
        self,
        examples: Examples,
        logits: Sequence[npt.NDArray[Any]],
        healthy: Int64,
        pooled: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        """Fit calibrators and label sets on validation; a symbol without a pooled prior is its own."""
        part, count = self.config.direction, len(examples.rows)
        parameters, offsets = np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)), np.zeros(count)
        sets = None
        for group in [healthy] if pooled else [healthy[i : i + 1] for i in range(len(healthy))]:
            if not len(group):
                continue
            z = np.concatenate([logits[i] for i in group])
            chosen = [examples.rows[i].valid + examples.panel.offsets[i] for i in group]
            rows = np.concatenate(chosen)
            symbol = np.repeat(np.arange(len(group)), [len(c) for c in chosen])
            labels = examples.targets[rows].astype(np.int64)
            if pooled:
                shared = PooledCalibration(
                    pooled["calibration/parameters"],
                    pooled["calibration/information"],
                    float(pooled["calibration/evidence"][0]),
                )
                scores = PooledScores(pooled["scores/quantiles"], int(pooled["scores/rows"][0]))
            else:
                days = _day_blocks(examples.panel.dates[rows], part.horizon)
                shared = fit_pooled(z, labels, part.calibration, days, self._prior.probabilities[group[0]])
            calibrator = fit_calibrator(
                z, labels, symbol, len(group), shared, part.calibration, part.calibration_shrinkage
            )
            probabilities = calibrator.apply(z, symbol)
            if not pooled:
                scores = pool_scores(labels, probabilities)
            fitted = fit_label_sets(
                labels, probabilities, symbol, len(group), scores, part.conformal_level, part.calibration_shrinkage
            )
            parameters[group] = calibrator.parameters
            offsets[group] = fitted.offset
            if not pooled and sets is not None:  # offsets count from one shared quantile grid
                base = np.interp(part.conformal_level, np.linspace(0, 1, len(sets.quantiles)), sets.quantiles)
                own = np.interp(part.conformal_level, np.linspace(0, 1, len(fitted.quantiles)), fitted.quantiles)
                offsets[group] += own - base
            sets = sets or fitted
        self._calibrator = Calibrator(parameters, parameters.mean(axis=0) if not pooled else shared.parameters)
        if sets is None:
            sets = LabelSets(part.conformal_level, offsets, offsets, np.linspace(0.0, 1.0, 2001))
        self._sets = replace(sets, offset=offsets, error_rate=np.full(count, 1.0 - part.conformal_level))

    def _fit_scaler(self, examples: Examples) -> FleetScaler:
        panel = examples.panel
        parts = (panel.features[panel.rows(i)][rows.train] for i, rows in enumerate(examples.rows))
        return FleetScaler.fit(parts, self.config.features)

    def _choose_columns(self, examples: Examples, pooled: bool = False) -> Int64:
        """Return (S, k) chosen features: one choice for all when pooled, each symbol's own otherwise."""
        panel, k = examples.panel, self.config.features.max_features
        width, count = panel.features.shape[1], len(examples.rows)
        if k is None or k >= width:
            return np.tile(np.arange(width), (count, 1))
        if pooled:
            rows, _ = examples.global_rows("train")
            rows = rows[:: max(1, len(rows) // 50_000)]
            return np.tile(select_features(panel.features[rows], examples.targets[rows], k), (count, 1))
        chosen = []
        for i, rows in enumerate(examples.rows):
            part = panel.rows(i)
            chosen.append(select_features(panel.features[part][rows.train], examples.targets[part][rows.train], k))
        return np.stack(chosen)

    def _fit_logistic(self, examples: Examples, scaler: FleetScaler) -> LogisticRegression:
        panel, pieces, labels, train, owner = examples.panel, [], [], [], []
        for i, rows in enumerate(examples.rows):
            part = panel.rows(i)
            used = np.concatenate([rows.train, rows.valid])
            pieces.append(scaler.transform(panel.features[part][used], i))
            labels.append(examples.targets[part][used])
            train.append(np.arange(len(used)) < len(rows.train))
            owner.append(np.full(len(used), i))
        x, y, is_train = np.concatenate(pieces), np.concatenate(labels).astype(np.int64), np.concatenate(train)
        if self.config.direction.strategy == "per_symbol":
            return LogisticRegression.fit_per_symbol(
                x, y, np.concatenate(owner), len(examples.rows), is_train, ~is_train
            )
        return LogisticRegression.fit_pooled(x, y, is_train, ~is_train)

    def _network(self, features: int) -> FleetNetwork:
        return FleetNetwork(self.config.direction.network, features, len(CLASSES))

    def _plan(self) -> FitPlan:
        return FitPlan.of(self.config.direction.fit, self.config.run.seed)

    def _score(self, panel: Panel, rows: Sequence[Int64]) -> float:
        found = self.forecast(panel, rows)
        return float(np.log(found["up"][0] / found["down"][0]))


def _labels(examples: Examples, part: str) -> tuple[Int64, Int64]:
    rows, symbol = examples.global_rows(part)
    return examples.targets[rows].astype(np.int64), symbol


def _day_blocks(dates: npt.NDArray[np.datetime64], horizon: int) -> Int64:
    """Return one group a day, or a block of ``horizon`` days whose labels overlap."""
    return np.unique(dates, return_inverse=True)[1].astype(np.int64) // max(horizon, 1)


def _with_prior(network: FleetNetwork, weights: npt.NDArray[np.float32], prior: Float) -> npt.NDArray[np.float32]:
    """Set the head's biases (the last weights of a row) to log prior (S, 3), so untrained networks forecast it."""
    weights[:, -network.outputs :] = np.log(prior)
    return weights

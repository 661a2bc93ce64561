"""Price direction: down, sideways or up over the next bars, as calibrated probabilities with conformal label sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from features.labels import CLASSES
from features.panel import Panel
from features.scaling import FleetScaler
from features.universe import UniverseTable
from training.data.arrays import Arrays, Float, Float32, part_of, prefixed, take_rows
from training.data.buffers import FeatureBuffer, fleet_data
from training.data.examples import Examples, Int64, Part, panel_rows
from training.data.feature_columns import choose_columns
from training.data.windows import Windows, window_features
from training.metrics.classification import log_loss_rows
from training.models.calibration.calibrator import Calibrator, fit_calibrator
from training.models.calibration.conformal import LabelSets, fit_label_sets
from training.models.calibration.evidence import standard_errors
from training.models.calibration.newton import softmax
from training.models.fleet.fit import FitPlan, fit_fleet, predict_fleet, predict_windows
from training.models.fleet.losses import corrected_cross_entropy
from training.models.linear.class_prior import ClassPrior
from training.models.linear.logistic import LogisticRegression
from training.models.trust import trusted_share, with_evidence
from training.predictors.base import BasePredictor
from training.predictors.direction_pool import (
    TRUST_ROWS,
    DirectionPool,
    base_logits,
    calibrate_alone,
    corrected_targets,
    direction_network,
    fit_direction_pool,
    fit_logistic,
    shrink_to_validated,
)
from training.predictors.input_bars import AnyBars, AnyContext

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLASSES", "PriceDirectionPredictor"]

_NEVER = np.iinfo(np.int64).max


class PriceDirectionPredictor(BasePredictor):
    """A fleet of LSTM networks with multi-head attention that corrects a logistic regression, calibrated on validation.

    An untrained network corrects nothing and early stopping may keep it; the regression's ridge, the share of the
    correction and the scale of both are chosen by what validation shows: of all symbols together, or of each alone
    under ``per_symbol``. Where that is nothing, forecasts are the class prior.

    Examples
    --------
    >>> from configs import load_config
    >>> from features.sources.embedded import EmbeddedSource
    >>> bars = list(EmbeddedSource().load(["AAPL", "IBM", "MSFT"]))
    >>> predictor = PriceDirectionPredictor(load_config("smoke")).fit(bars)
    >>> latest = predictor.predict_direction(bars).loc["AAPL"].iloc[-1]
    >>> latest.index.tolist()
    ['down', 'sideways', 'up', 'label', 'confidence', 'label_set']
    >>> round(float(latest["down"] + latest["sideways"] + latest["up"]), 6)
    1.0
    """

    kind: ClassVar[str] = "direction"

    _scaler: FleetScaler
    _columns: Int64  # (S, k), or (1, k) for all
    _weights: Float32  # (S, P), or (1, P) for all
    _prior: ClassPrior
    _logistic: LogisticRegression
    _calibrator: Calibrator
    _sets: LabelSets  # as fitted on validation
    _adapted: LabelSets  # as of the last outcome seen, for bars after it
    _adapted_to: npt.NDArray[np.datetime64]  # (S,), when that outcome was known
    _unseen: bool = False  # whether the last row of all these is of symbols that were not fitted

    def fit_pooled(self, examples: Examples) -> Arrays:
        """Fit the shared network, its calibration and the pooled logistic baseline; nothing when each is on its own."""
        if self.config.direction.strategy == "per_symbol":
            return {}
        return fit_direction_pool(examples, self.config).to_arrays()

    def fit_examples(self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Fit one network per symbol, or give every symbol the pooled one, as the strategy says."""
        pool = DirectionPool.from_arrays(pooled) if pooled else None
        self.feature_names, self.universe = examples.panel.feature_names, examples.panel.universe
        self._scaler = FleetScaler.fit(examples.train_features(), self.config.features)
        self._prior = ClassPrior.fit(*examples.labels("train"), len(examples.rows))
        self._columns = pool.columns if pool else choose_columns(examples, self.config, pooled=False)
        self._logistic = pool.logistic if pool else fit_logistic(examples, self._scaler, self._columns, pooled=False)
        logits, self.failures = self._fit_networks(examples, pool)
        kept = np.array([i for i, s in enumerate(examples.panel.symbols) if s not in self.failures], np.int64)
        if self.failures:
            examples = examples.select(tuple(examples.panel.symbols[i] for i in kept))
            self._scaler, self._prior = self._scaler.take(kept), self._prior.take(kept)
            self._logistic = self._logistic.take(kept)
            self._columns, self._weights = take_rows(self._columns, kept), take_rows(self._weights, kept)
        self.symbols = examples.panel.symbols
        if not self.symbols:
            return self
        self._calibrate(examples, np.concatenate([logits[i] for i in kept]), pool)
        self._unseen = False
        if pool is not None:
            self._append(pool.scaler, pool.prior, pool.weights)
        return self

    @property
    def forecasts_unseen(self) -> bool:
        """Whether symbols share a model, so that it can forecast one that was not fitted."""
        return self._unseen

    def forecast(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, npt.NDArray[Any]]:
        """Return ``down, sideways, up`` (calibrated probabilities) and ``in_set_<class>``, the conformal label set."""
        own = self._rows_of(panel)
        logits = np.concatenate(self._logits(panel, rows, own))
        places, position = panel_rows(panel, rows)
        return self._columns_of(logits, own[position], panel.dates[places])

    def windows(self, panel: Panel, rows: Sequence[Int64]) -> Windows:
        """Return the features of each window."""
        places, _ = panel_rows(panel, rows)
        features = window_features(panel.features, places, self.window)
        return Windows(panel.dates[places], features, np.zeros((len(places), 0)))

    def forecast_windows(self, windows: Windows, symbols: Int64) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of :meth:`forecast`."""
        scaled = self._scaler.transform_rows(windows.features, symbols)
        if self._columns.shape[1] < scaled.shape[2]:
            chosen = take_rows(self._columns, symbols)
            scaled = np.take_along_axis(scaled, chosen[:, None], axis=2)
        base = self._logistic.logits(scaled[:, -1], symbols).astype(np.float32)
        network = direction_network(self.config, self._columns)
        corrections = predict_windows(network, take_rows(self._weights, symbols), scaled)
        return self._columns_of(base + corrections, symbols, windows.dates)

    def _columns_of(
        self, logits: Float32, symbol: Int64, dates: npt.NDArray[np.datetime64]
    ) -> dict[str, npt.NDArray[Any]]:
        probabilities = self._calibrator.apply(logits, symbol)
        sets = self._sets.sets(probabilities, symbol)
        late = dates > self._adapted_to[symbol]
        sets[late] = self._adapted.sets(probabilities[late], symbol[late])
        out: dict[str, npt.NDArray[Any]] = {name: probabilities[:, i] for i, name in enumerate(CLASSES)}
        return out | {f"in_set_{name}": sets[:, i] for i, name in enumerate(CLASSES)}

    def adapt_label_sets(
        self, probabilities: Float, labels: Int64, symbol: Int64, known: npt.NDArray[np.datetime64]
    ) -> npt.NDArray[np.bool_]:
        """Return label sets (n, 3) made walk-forward, and keep the state after the last outcome for what comes later.

        Rows are each symbol's, in order of time; ``symbol`` (n,) are rows of this fleet, ``known`` (n,) the dates on
        which the outcomes were known. Coverage drifts when validation and what follows differ; the update uses an
        outcome only from ``horizon`` bars later on. Bars up to a symbol's last outcome keep the sets of validation:
        with the later state they would know their own outcomes.
        """
        sets, self._adapted = self._sets.walk_forward(probabilities, labels, symbol, self.config.direction.horizon)
        self._adapted_to = self._adapted_to.copy()
        np.maximum.at(self._adapted_to, symbol, known)
        return np.asarray(sets)

    def baselines(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, Float]:
        """Return what the forecasts are judged against: ``prior`` and ``logistic`` probabilities (n, 3)."""
        own = self._rows_of(panel)
        symbol = own[panel_rows(panel, rows)[1]]
        columns, scaler = take_rows(self._columns, own), self._scaler.take(own)
        logistic = softmax(base_logits(panel, rows, scaler, columns, self._logistic.take(own)))
        return {"prior": self._prior.predict(symbol), "logistic": logistic}

    def prior(self, symbol: str) -> Float:
        """Return a symbol's class prior (3,), how often each class came true on its train rows, or the pooled one."""
        row = self.symbols.index(symbol) if symbol in self.symbols else len(self.symbols)
        found: Float = self._prior.predict(np.array([row]))[0]
        return found

    def predict_proba(
        self, bars: AnyBars, *, context: AnyContext | None = None, universe: UniverseTable | None = None
    ) -> pd.DataFrame:
        """Return calibrated probabilities ``down, sideways, up`` by ``(symbol, date)``."""
        return self.predict(bars, context=context, universe=universe)[list(CLASSES)]

    def predict_direction(
        self, bars: AnyBars, *, context: AnyContext | None = None, universe: UniverseTable | None = None
    ) -> pd.DataFrame:
        """Return probabilities, the likeliest ``label``, its ``confidence`` and the conformal ``label_set``."""
        found = self.predict(bars, context=context, universe=universe)
        out = found[list(CLASSES)].copy()
        values = out.to_numpy()
        members = found[[f"in_set_{name}" for name in CLASSES]].to_numpy()
        out["label"] = np.array(CLASSES)[values.argmax(axis=1)]
        out["confidence"] = values.max(axis=1)
        out["label_set"] = [
            "|".join(name for name, member in zip(CLASSES, row, strict=True) if member) for row in members
        ]
        return out

    def row_losses(self, examples: Examples, part: Part) -> tuple[Float, Int64]:
        """Return log losses in nats."""
        columns = self.forecast(examples.panel, examples.part(part))
        labels, symbol = examples.labels(part)
        return log_loss_rows(labels, np.stack([columns[name] for name in CLASSES], axis=1)), symbol

    def to_arrays(self) -> Arrays:
        """Return the fitted state; ``weights`` and ``columns`` have one row when all symbols share it.

        What symbols that were not fitted get lies under ``pooled/``.
        """
        own = np.arange(len(self.symbols))
        out: Arrays = {
            "weights": take_rows(self._weights, own),
            "columns": self._columns,
            **prefixed("prior", self._prior.take(own).to_arrays()),
            **prefixed("scaler", self._scaler.rows(own).to_arrays()),
            **prefixed("calibration", self._calibrator.take(own).to_arrays()),
            **prefixed("sets", self._sets.take(own).to_arrays()),
            **prefixed("adapted", self._adapted.take(own).to_arrays()),
            "adapted_to": self._adapted_to[own].astype("datetime64[ns]").view(np.int64),
            **prefixed("logistic", self._logistic.to_arrays()),
        }
        if not self._unseen:
            return out
        pooled = prefixed("scaler", self._scaler.rows(np.array([-1])).to_arrays())
        pooled |= prefixed("prior", {"probabilities": self._prior.probabilities[-1:]})
        if self.config.direction.strategy == "finetuned":
            pooled["weights"] = self._weights[-1:]
        return out | prefixed("pooled", pooled)

    def _load(self, arrays: Mapping[str, npt.NDArray[Any]], rows: Int64) -> None:
        self._weights, self._columns = take_rows(arrays["weights"], rows), take_rows(arrays["columns"], rows)
        self._prior = ClassPrior.from_arrays(part_of(arrays, "prior")).take(rows)
        self._scaler = FleetScaler.from_arrays(part_of(arrays, "scaler")).rows(rows)
        self._calibrator = Calibrator.from_arrays(part_of(arrays, "calibration")).take(rows)
        self._sets = LabelSets.from_arrays(part_of(arrays, "sets")).take(rows)
        self._adapted = LabelSets.from_arrays(part_of(arrays, "adapted")).take(rows)
        self._adapted_to = arrays["adapted_to"][rows].view("datetime64[ns]")
        self._logistic = LogisticRegression.from_arrays(part_of(arrays, "logistic")).take(rows)
        self._unseen = False
        if pooled := part_of(arrays, "pooled"):
            scaler = FleetScaler.from_arrays(part_of(pooled, "scaler"))
            self._append(scaler, ClassPrior.from_arrays(part_of(pooled, "prior")), pooled.get("weights"))

    def _append(self, scaler: FleetScaler, prior: ClassPrior, weights: Float32 | None) -> None:
        """Add the row of symbols that were not fitted to what has a row per symbol."""
        self._unseen = True
        self._scaler = FleetScaler.concat([self._scaler, scaler])
        self._prior = ClassPrior(np.concatenate([self._prior.probabilities, prior.probabilities]))
        self._calibrator = self._calibrator.with_pooled()
        self._sets, self._adapted = self._sets.with_pooled(), self._adapted.with_pooled()
        self._adapted_to = np.append(self._adapted_to.astype("datetime64[ns]"), np.datetime64(_NEVER, "ns"))
        if self.config.direction.strategy == "finetuned" and weights is not None:
            self._weights = np.concatenate([self._weights, weights])

    def _logits(self, panel: Panel, rows: Sequence[Int64], own: Int64) -> list[Float32]:
        """Return base plus correction (n, 3) of each symbol of a panel, whose rows in this fleet are ``own``."""
        columns, weights, scaler = take_rows(self._columns, own), take_rows(self._weights, own), self._scaler.take(own)
        if len(weights) < len(own):
            weights = np.repeat(weights, len(own), axis=0)
        layout = FeatureBuffer.of(rows, self.window)
        bank = layout.features(panel, scaler, columns)
        corrections = predict_fleet(direction_network(self.config, columns), weights, bank, layout.ends(rows))
        base = base_logits(panel, rows, scaler, columns, self._logistic.take(own))
        starts = np.cumsum([len(r) for r in rows])[:-1]
        return [b + z for b, z in zip(np.split(base, starts), corrections, strict=True)]

    def _fit_networks(self, examples: Examples, pool: DirectionPool | None) -> tuple[list[Float32], dict[str, str]]:
        """Fit the weights; return each symbol's logits of its validation rows, and the symbols that failed."""
        part, symbols, failed = self.config.direction, examples.panel.symbols, dict[int, str]()
        if pool is not None and part.strategy == "pooled":
            self._weights = pool.weights
        else:
            network, plan = direction_network(self.config, self._columns), FitPlan.of(part.fit, self.config.run.seed)
            if pool is None:
                initial = network.initial_weights(symbols, self.config.run.seed)
            else:
                initial = np.repeat(pool.weights, len(symbols), axis=0)
                plan = replace(plan, learning_rate=part.fit.finetune_learning_rate, shrinkage=part.fit.shrinkage)
            targets = corrected_targets(examples, self._scaler, self._columns, self._logistic)
            data = fleet_data(examples, self.window, self._scaler, self._columns, targets)
            fit = fit_fleet(network, corrected_cross_entropy, data, plan, initial)
            self._weights, failed = (
                shrink_to_validated(network, fit.weights, initial if pool else None, examples, data, part.horizon),
                fit.failures,
            )
        logits = self._logits(examples.panel, examples.part("valid"), np.arange(len(symbols)))
        broken = {i: "the network's outputs are not finite" for i, z in enumerate(logits) if not np.isfinite(z).all()}
        return logits, {symbols[i]: reason for i, reason in (broken | failed).items()}

    def _calibrate(self, examples: Examples, logits: Float32, pool: DirectionPool | None) -> None:
        """Fit calibrators and label sets on validation, shrunk to the pool's; without one each symbol is its own."""
        part, count = self.config.direction, len(examples.rows)
        places, symbol = examples.places(examples.part("valid"))
        labels = examples.targets[places].astype(np.int64)
        log_priors = np.log(self._prior.probabilities)
        if pool is not None:
            shrinkage, horizon = part.calibration_shrinkage, part.horizon
            calibrator = fit_calibrator(
                logits, labels, symbol, count, pool.calibration, part.calibration, shrinkage, horizon
            )
            self._calibrator = calibrator.shrunk(log_priors, np.log(pool.prior.probabilities[0]), pool.trust)
        else:
            dates, priors = examples.panel.dates[places], self._prior.probabilities
            calibrator = calibrate_alone(logits, labels, symbol, dates, priors, part.calibration, part.horizon)
            trust = [
                with_evidence(
                    trusted_share(len(rows.train) + len(rows.valid), 1, TRUST_ROWS),
                    standard_errors(
                        np.broadcast_to(own, (np.sum(symbol == i), 3)),
                        logits[symbol == i] - own,
                        labels[symbol == i],
                        dates[symbol == i],
                        part.horizon,
                    ),
                )
                for i, (rows, own) in enumerate(zip(examples.rows, log_priors, strict=True))
            ]
            self._calibrator = calibrator.shrunk(log_priors, None, np.array(trust)[:, None])
        self._sets = fit_label_sets(
            labels,
            self._calibrator.apply(logits, symbol),
            symbol,
            count,
            pool.scores if pool else None,
            part.conformal_level,
            part.calibration_shrinkage,
        )
        ends = examples.panel.offsets[:-1] + [rows.valid[-1] + part.horizon for rows in examples.rows]
        self._adapted, self._adapted_to = self._sets, examples.panel.dates[ends]

    def _score(self, panel: Panel, rows: Sequence[Int64]) -> float:
        found = self.forecast(panel, rows)
        return float(np.log(found["up"][0] / found["down"][0]))

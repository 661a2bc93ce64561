"""Price direction: down, sideways or up over the next bars, as calibrated probabilities with conformal label sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from features.labels import CLASSES
from features.panel import Panel
from features.scaling import FleetScaler
from training.data.arrays import Arrays, Float, Float32, part_of, prefixed, take_rows
from training.data.design import Design
from training.data.examples import Examples, Int64, Part
from training.data.windows import Windows
from training.metrics.classification import log_loss_rows
from training.models.calibration.calibrator import Calibrator
from training.models.calibration.conformal import LabelSets
from training.models.calibration.softmax_newton import softmax
from training.models.fleet.fit import predict_windows
from training.models.linear.class_prior import ClassPrior
from training.models.linear.logistic import LogisticRegression
from training.predictors.direction_frames import DirectionFrames
from training.predictors.direction_own import NetworkChoices, fit_calibration, fit_networks
from training.predictors.direction_pool import DirectionPool, direction_network, fit_direction_pool, fit_logistic
from training.predictors.fleet import LAST_OUTCOMES

__all__ = ["CLASSES", "PriceDirectionPredictor"]


class PriceDirectionPredictor(DirectionFrames):
    """A fleet of LSTM networks with multi-head attention that corrects a logistic regression, calibrated on validation.

    An untrained network corrects nothing and early stopping may keep it; the regression's ridge, the share of the
    correction and the scale of both are chosen by what validation shows: of all symbols together, or of each alone
    under ``per_symbol``. Where that is nothing, forecasts are the class prior.

    Examples
    --------
    >>> from configs import load_config
    >>> from features import load_bars
    >>> bars = load_bars("embedded", ["AAPL", "IBM", "MSFT"])
    >>> predictor = PriceDirectionPredictor(load_config("smoke")).fit(bars)
    >>> latest = predictor.predict_direction(bars).loc["AAPL"].iloc[-1]
    >>> latest.index.tolist()
    ['down', 'sideways', 'up', 'label', 'confidence', 'label_set']
    >>> round(float(latest["down"] + latest["sideways"] + latest["up"]), 6)
    1.0
    """

    kind: ClassVar[str] = "direction"
    estimator_type: ClassVar[str | None] = "classifier"
    from_features: ClassVar[bool] = True

    _design: Design
    _weights: Float32  # (S, P), or (1, P) for all
    _prior: ClassPrior
    _logistic: LogisticRegression
    _calibrator: Calibrator
    _sets: LabelSets  # as fitted on validation
    _adapted: LabelSets  # as of the last outcome seen, for bars after it
    _adapted_to: npt.NDArray[np.datetime64]  # (S,), when that outcome was known
    _epochs: Int64  # (S,), or (1,) for all; this and the shares only of a fit in this process
    _shares: Float  # of the networks' corrections that are kept
    _unseen: bool = False  # whether the last row of all these is of symbols that were not fitted

    def fit_pooled(self, examples: Examples, tested: Mapping[str, npt.NDArray[Any]] | None = None) -> Arrays:
        """Fit the shared network, its calibration and the pooled logistic baseline.

        Return an empty dict under the ``per_symbol`` strategy, which shares nothing.
        """
        if self.config.direction.strategy == "per_symbol":
            return {}
        pool = DirectionPool.from_arrays(tested) if tested else None
        last = {LAST_OUTCOMES: examples.last_outcomes(self.config.direction.horizon)}
        return fit_direction_pool(examples, self.config, pool).to_arrays() | last

    def fit_examples(
        self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]], tested: Self | None = None
    ) -> Self:
        """Fit one network per symbol, or give every symbol the pooled one, as the strategy says."""
        pool = DirectionPool.from_arrays(pooled) if pooled else None
        self._note_outcomes(examples, pooled)
        self.feature_names, self.universe = examples.panel.feature_names, examples.panel.universe
        self.period = examples.panel.period
        self._prior = ClassPrior.fit(*examples.labels("train"), len(examples.rows))
        chosen = tested._own_choices(examples.panel) if tested else None
        columns = pool.columns if pool else chosen.columns if chosen else None
        self._design = Design.fit(examples, self.config, columns)
        ridge = chosen.ridge if chosen else None
        self._logistic = pool.logistic if pool else fit_logistic(examples, self._design, pooled=False, ridge=ridge)
        self.symbols, self._unseen = examples.panel.symbols, False
        found = fit_networks(examples, self.config, self._design, self._logistic, pool, chosen)
        self._weights, self._epochs, self._shares, failed = found
        logits = self._valid_logits(examples)
        broken = {i: "the network's outputs are not finite" for i, z in enumerate(logits) if not np.isfinite(z).all()}
        self.failures = {self.symbols[i]: reason for i, reason in (broken | failed).items()}
        kept = np.array([i for i, s in enumerate(self.symbols) if s not in self.failures], np.int64)
        if self.failures:
            examples = examples.select(tuple(self.symbols[i] for i in kept))
            self._design, self._prior = self._design.take(kept), self._prior.take(kept)
            self._logistic, self._weights = self._logistic.take(kept), take_rows(self._weights, kept)
            self._epochs, self._shares = take_rows(self._epochs, kept), take_rows(self._shares, kept)
        self.symbols = examples.panel.symbols
        if not self.symbols:
            return self
        logits_kept = np.concatenate([logits[i] for i in kept])
        fitted = fit_calibration(examples, self.config.direction, self._prior, logits_kept, pool)
        self._calibrator, self._sets = fitted
        ends = examples.panel.offsets[:-1] + [rows.valid[-1] + self.config.direction.horizon for rows in examples.rows]
        self._adapted, self._adapted_to = self._sets, examples.panel.dates[ends]
        if pool is not None:
            self._append(pool.scaler, pool.prior, pool.weights)
        return self

    def _own_choices(self, panel: Panel) -> NetworkChoices:
        """Return what validation chose for each symbol of a panel, in its order."""
        rows = self._rows_of(panel)
        return NetworkChoices(
            take_rows(self._design.columns, rows),
            take_rows(self._logistic.ridge, rows),
            take_rows(self._epochs, rows),
            take_rows(self._shares, rows),
        )

    @property
    def forecasts_unseen(self) -> bool:
        """Whether symbols share a model, so that it can forecast one that was not fitted."""
        return self._unseen

    def forecast_with_baselines(
        self, windows: Windows, symbols: Int64
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Float]]:
        """Return probabilities and label sets, and the probabilities (n, 3) of ``prior`` and ``logistic``.

        Columns are ``down, sideways, up`` (calibrated probabilities) and ``in_set_<class>``, the conformal label set.
        """
        base, correction = self._logits(windows, symbols)
        probabilities = self._calibrator.apply(base + correction, symbols)
        sets = self._sets.sets(probabilities, symbols)
        late = windows.dates > self._adapted_to[symbols]
        sets[late] = self._adapted.sets(probabilities[late], symbols[late])
        columns: dict[str, npt.NDArray[Any]] = {name: probabilities[:, i] for i, name in enumerate(CLASSES)}
        columns |= {f"in_set_{name}": sets[:, i] for i, name in enumerate(CLASSES)}
        return columns, {"prior": self._prior.predict(symbols), "logistic": softmax(base)}

    def _logits(self, windows: Windows, symbols: Int64) -> tuple[Float32, Float32]:
        """Return the regression's logits (n, 3), and what the network adds to them."""
        scaled = self._design.transform(windows.bars, windows.owners(symbols))
        network = direction_network(self.config, self._design)
        correction = predict_windows(network, self._weights, scaled, windows.ends, symbols)
        return self._logistic.logits(scaled[windows.ends], symbols).astype(np.float32), correction

    def adapted(
        self, probabilities: Float, labels: Int64, symbol: Int64, known: npt.NDArray[np.datetime64]
    ) -> tuple[npt.NDArray[np.bool_], Self]:
        """Return label sets (n, 3) made walk-forward, and a predictor with the state after the last outcome.

        Rows are each symbol's, in order of time; ``symbol`` (n,) are rows of this fleet, ``known`` (n,) the dates on
        which the outcomes were known. Coverage drifts when validation and what follows differ; the update uses an
        outcome only from ``horizon`` bars later on. Bars up to a symbol's last outcome keep the sets of validation:
        with the later state they would know their own outcomes.
        """
        out = copy(self)
        sets, out._adapted = self._sets.walk_forward(probabilities, labels, symbol, self.config.direction.horizon)
        out._adapted_to = self._adapted_to.copy()
        np.maximum.at(out._adapted_to, symbol, known)
        return np.asarray(sets), out

    def prior(self, symbol: str) -> Float:
        """Return a symbol's class prior (3,), how often each class came true on its train rows, or the pooled one."""
        row = self.symbols.index(symbol) if symbol in self.symbols else len(self.symbols)
        found: Float = self._prior.predict(np.array([row]))[0]
        return found

    def row_losses(self, examples: Examples, part: Part) -> tuple[Float, Int64]:
        """Return log losses (n,) in nats, and each row's position among the symbols (n,)."""
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
            **prefixed("prior", self._prior.take(own).to_arrays()),
            **prefixed("design", self._design.rows(own).to_arrays()),
            **prefixed("calibration", self._calibrator.take(own).to_arrays()),
            **prefixed("sets", self._sets.take(own).to_arrays()),
            **prefixed("adapted", self._adapted.take(own).to_arrays()),
            "adapted_to": self._adapted_to[own].astype("datetime64[ns]").view(np.int64),
            **prefixed("logistic", self._logistic.to_arrays()),
        }
        if not self._unseen:
            return out
        pooled = prefixed("scaler", self._design.scaler.rows(np.array([-1])).to_arrays())
        pooled |= prefixed("prior", {"probabilities": self._prior.probabilities[-1:]})
        if self.config.direction.strategy == "finetuned":
            pooled["weights"] = self._weights[-1:]
        return out | prefixed("pooled", pooled)

    def _load(self, arrays: Mapping[str, npt.NDArray[Any]], rows: Int64) -> None:
        self._weights = take_rows(arrays["weights"], rows)
        self._prior = ClassPrior.from_arrays(part_of(arrays, "prior")).take(rows)
        self._design = Design.from_arrays(part_of(arrays, "design")).rows(rows)
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
        self._design = self._design.with_scalers(scaler)
        self._prior = ClassPrior(np.concatenate([self._prior.probabilities, prior.probabilities]))
        self._calibrator = self._calibrator.with_pooled()
        self._sets, self._adapted = self._sets.with_pooled(), self._adapted.with_pooled()
        self._adapted_to = np.append(
            self._adapted_to.astype("datetime64[ns]"), np.datetime64(np.iinfo(np.int64).max, "ns")
        )
        if self.config.direction.strategy == "finetuned" and weights is not None:
            self._weights = np.concatenate([self._weights, weights])

    def _valid_logits(self, examples: Examples) -> list[Float32]:
        """Return each symbol's uncalibrated logits (n, 3) of its validation rows."""
        chunks = self.chunks(examples.panel, examples.part("valid"))
        stacked = np.concatenate([np.add(*self._logits(windows, rows)) for windows, rows in chunks])
        return np.split(stacked, np.cumsum([len(rows) for rows in examples.part("valid")])[:-1])

    def _score(self, panel: Panel, rows: Sequence[Int64]) -> float:
        found = self.forecast(panel, rows)
        return float(np.log(found["up"][0] / found["down"][0]))


PREDICTOR = PriceDirectionPredictor

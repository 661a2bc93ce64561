"""Price direction: down, sideways or up over the next bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from configs.space import Choice, Parameter, Range
from features.labels import CLASSES, direction_labels
from features.panel import Panel
from training.metrics.classification import log_loss_rows
from training.metrics.daily import DirectionDaily
from training.metrics.per_symbol import direction_by_symbol
from training.tasks.task import Coverage, Evaluated, Float, Int64, Layout, Named, ShownMetric, Task

if TYPE_CHECKING:
    from training.data.examples import Examples
    from training.predictors.kinds.direction import PriceDirectionPredictor


class DirectionTask(Task):
    """The class of the forward return, as calibrated probabilities with label sets."""

    kind = "direction"
    name_prefix = "price_direction_"
    loss = "log_loss"
    loss_title = "log loss"
    baseline = "prior"
    sums = DirectionDaily
    layout = Layout(
        columns=(
            ShownMetric("log_loss", title="log loss"),
            ShownMetric("mcc", title="MCC"),
            ShownMetric("up_down_accuracy", title="up/down acc. %", factor=100.0),
        ),
        references=(Named("prior", title="the class prior"), Named("logistic", title="logistic regression")),
        alone=(
            ShownMetric("ece", title="calibration error"),
            ShownMetric("set_size", title="classes per label set"),
        ),
        coverage=Coverage(title="label sets", setting="conformal_level"),
    )

    def first_row(self, panel: Panel, config: Config) -> int:
        """Return the first row whose window has all features."""
        return panel.warmup + config.direction.network.window - 1

    def targets(self, panel: Panel, symbol: int, config: Config) -> tuple[Float, npt.NDArray[np.bool_]]:
        """Return classes 0, 1, 2, or −1 where the return is not known yet (n,), and where it is (n,)."""
        part, rows = config.direction, panel.rows(symbol)
        labels = direction_labels(panel.close[rows], panel.ewma_vol[rows], part.horizon, part.label)
        return labels.astype(np.float64), labels >= 0

    def check(self, config: Config) -> None:
        """Accept all settings: none is a name that only training knows."""

    def has_pooled_fit(self, config: Config) -> bool:
        """Return whether symbols share anything."""
        return config.direction.strategy != "per_symbol"

    def evaluate(
        self, predictor: PriceDirectionPredictor, examples: Examples, rows: Int64, symbol: Int64, own: Int64
    ) -> Evaluated:
        """Score probabilities and label sets, which adapt day by day to the outcomes known by then."""
        panel, horizon = examples.panel, predictor.config.direction.horizon
        columns, baselines = predictor.compare(panel, examples.part("test"))
        probabilities = np.stack([columns[name] for name in CLASSES], axis=1)
        labels = examples.targets[rows].astype(np.int64)
        sets, adapted = predictor.adapted(probabilities, labels, own, panel.dates[rows + horizon])
        daily = DirectionDaily.from_predictions(panel.dates[rows], labels, probabilities, baselines, sets)
        values: dict[str, npt.NDArray[Any]] = {
            "loss": log_loss_rows(labels, probabilities),
            "label": labels.astype(np.int8),
        }
        values |= {f"p_{name}": probabilities[:, i] for i, name in enumerate(CLASSES)}
        values |= {f"in_set_{name}": sets[:, i] for i, name in enumerate(CLASSES)}
        for name, table in baselines.items():
            values |= {f"p_{label}_{name}": table[:, i] for i, label in enumerate(CLASSES)}
        values |= {f"loss_{name}": log_loss_rows(labels, table) for name, table in baselines.items()}
        scores = direction_by_symbol(panel.symbols, symbol, labels, probabilities, baselines, horizon)
        return Evaluated(values, daily, scores, adapted)

    def named_forecasts(
        self, columns: Mapping[str, npt.NDArray[Any]], baselines: Mapping[str, npt.NDArray[Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Return ``p_down`` …, and ``p_down_prior`` … of each baseline (n, 3)."""
        out = {f"p_{label}": columns[label] for label in CLASSES}
        tables = baselines.items()
        return out | {f"p_{label}_{name}": table[:, i] for name, table in tables for i, label in enumerate(CLASSES)}

    def space(self, config: Config) -> dict[str, Parameter]:
        """Return the network, its fit, and how far each symbol's calibration may leave the shared one.

        The horizon and the labels stay: they decide what is forecast, and losses of different tasks do not compare.
        """
        strategy = config.direction.strategy
        space: dict[str, Parameter] = {
            "direction.network.window": Choice(values=(5, 10, 20)),
            "direction.network.lstm_units": Choice(values=((8,), (16,), (32,))),
            "direction.network.attention_heads": Choice(values=(0, 2, 4)),
            "direction.network.dropout": Range(low=0.0, high=0.4),
            "direction.fit.learning_rate": Range(low=1e-4, high=5e-3, log=True),
            "direction.fit.weight_decay": Choice(values=(0.0, 1e-4, 1e-3, 1e-2)),
            "direction.calibration_shrinkage": Range(low=50.0, high=5000.0, log=True),
        }
        if strategy != "per_symbol":
            space["direction.fit.pooled_batch_size"] = Choice(values=(256, 512, 1024, 2048))
        if strategy != "pooled":
            space["direction.fit.batch_size"] = Choice(values=(32, 64, 128))
        if strategy == "finetuned":
            space["direction.fit.finetune_learning_rate"] = Range(low=1e-5, high=1e-3, log=True)
            space["direction.fit.shrinkage"] = Range(low=1e-4, high=1.0, log=True)
        return space

    def identity(self, config: Config) -> Mapping[str, Any]:
        """Return the label."""
        return {"label": config.direction.label.model_dump()}


TASK = DirectionTask()

"""Volatility: the mean variance of the next bars."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from configs.errors import ConfigError
from configs.schema import Config
from configs.space import Parameter
from features.labels import volatility_target
from features.panel import Panel
from training.metrics.daily import VolatilityDaily
from training.metrics.per_symbol import volatility_by_symbol
from training.metrics.volatility import qlike_rows
from training.models.volatility.anchor import COMPLETE_AFTER
from training.models.volatility.members import alone, baselines, catalog, fitted
from training.tasks.task import Coverage, Evaluated, Float, Int64, Layout, Named, ShownMetric, Task

if TYPE_CHECKING:
    from training.data.examples import Examples
    from training.predictors.kinds.volatility import VolatilityPredictor

_ROWS_FOR_PARTS = 10_000  # from which a slow member takes seconds; reading the bars again for it takes some 0.3 s


class VolatilityTask(Task):
    """The mean variance a bar over the horizon, with an interval."""

    kind = "volatility"
    name_prefix = "volatility_"
    loss = "qlike"
    loss_title = "QLIKE"
    baseline = "log_har"
    sums = VolatilityDaily

    @cached_property
    def layout(self) -> Layout:
        """How scores are shown: the baselines and members are those of the catalog."""
        members = [Named(spec.name, spec.title) for spec in catalog().values() if not spec.is_baseline]
        return Layout(
            columns=(
                ShownMetric("qlike", title="QLIKE"),
                ShownMetric("r2", title="R² of volatility"),
                ShownMetric("vol_mse", title="RMSE, vol. points", factor=100.0),
            ),
            references=tuple(Named(spec.name, spec.title) for spec in sorted(baselines(), key=lambda spec: spec.rank)),
            alone=(ShownMetric("interval_width", title="interval width, vol. points", factor=100.0),),
            coverage=Coverage(title="intervals", setting="interval_level"),
            roots=("vol_mse",),
            members=(Named("anchor", title="its own log-HAR alone"), *members),
        )

    def first_row(self, panel: Panel, config: Config) -> int:
        """Return the first row that has its features, its window and the log-HAR's means."""
        return max(panel.warmup + config.volatility.network.window - 1, COMPLETE_AFTER)

    def targets(self, panel: Panel, symbol: int, config: Config) -> tuple[Float, npt.NDArray[np.bool_]]:
        """Return mean variances a bar (n,), NaN where not known yet, and where they are (n,) and prices moved."""
        future = volatility_target(panel.variance[panel.rows(symbol)], config.volatility.horizon)
        return future, np.isfinite(future) & (future > 0)

    def check(self, config: Config) -> None:
        """Raise ConfigError where a named member does not exist, or none would correct the linear forecast."""
        members = [spec for spec in fitted(config.volatility) if spec.share > 0.0]
        if not members and alone(config.volatility) is None:
            correcting = ", ".join(spec.name for spec in catalog().values() if spec.share > 0.0)
            raise ConfigError(
                f"volatility.members has baselines only ({', '.join(config.volatility.members)}), which always take "
                f"part. Add one of {correcting}."
            )

    def has_pooled_fit(self, config: Config) -> bool:
        """Return True: the linear member of every symbol is shrunk to the pooled one."""
        return True

    def has_network(self, config: Config) -> bool:
        """Whether one of the configured members is a network."""
        return any(spec.is_network for spec in fitted(config.volatility))

    def slow_parts(self, config: Config, bars: int) -> tuple[str, ...]:
        """Return the members whose shared fit takes seconds."""
        if min(bars, config.volatility.fit.pooled_rows) < _ROWS_FOR_PARTS:
            return ()
        return tuple(spec.name for spec in fitted(config.volatility) if spec.is_slow)

    def evaluate(
        self, predictor: VolatilityPredictor, examples: Examples, rows: Int64, symbol: Int64, own: Int64
    ) -> Evaluated:
        """Score variances and intervals, which adapt bar by bar to the outcomes known by then."""
        panel, horizon = examples.panel, predictor.config.volatility.horizon
        columns, others = predictor.compare(panel, examples.part("test"))
        target, forecast = examples.targets[rows], columns["variance"]
        ends, adapted = predictor.adapted(np.log(target / forecast), own, panel.dates[rows + horizon])
        low, high = (forecast * np.exp(end) for end in ends.T)
        known = {name: np.isfinite(table) for name, table in others.items()}
        others = {name: np.where(known[name], table, forecast) for name, table in others.items()}
        daily = VolatilityDaily.from_predictions(
            panel.dates[rows], target, forecast, others, (low, high), known, bars_per_year=columns["bars_per_year"]
        )
        values: dict[str, npt.NDArray[Any]] = {
            "loss": qlike_rows(target, forecast),
            "target": target,
            "forecast": forecast,
            "low": low,
            "high": high,
            "fallback": columns["fallback"],
        }
        values |= {f"forecast_{name}": others[name] for name, _ in self.layout.references if name in others}
        values |= {f"loss_{name}": qlike_rows(target, table) for name, table in others.items()}
        scores = volatility_by_symbol(panel.symbols, symbol, target, forecast, others, horizon)
        return Evaluated(values, daily, scores, adapted)

    def named_forecasts(
        self, columns: Mapping[str, npt.NDArray[Any]], baselines: Mapping[str, npt.NDArray[Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Return ``forecast``, ``low`` and ``high``, and ``forecast_ewma`` … (n,), the model's where there is none."""
        ends = {"forecast": "variance", "low": "variance_low", "high": "variance_high"}
        out = {name: columns[column] for name, column in ends.items()}
        own = columns["variance"]
        return out | {f"forecast_{name}": np.where(np.isfinite(v), v, own) for name, v in baselines.items()}

    def space(self, config: Config) -> dict[str, Parameter]:
        """Return the spaces of the configured members."""
        self.check(config)
        return {path: one for spec in fitted(config.volatility) for path, one in spec.space.items()}


TASK = VolatilityTask()

"""Recompute the forecasts of fitted models from other bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.schema import Config
from features.bars.schema import SymbolBars
from features.engineer import build_panel
from features.panel import Panel
from features.store.store import Store
from features.universe_build import build_universe
from training.data.examples import panel_rows
from training.predictors import BarsPredictor, predictor_from_block
from training.registry.block_files import is_finished
from training.registry.blocks import read_block
from training.registry.walk_forwards import WalkForwardRun
from training.run.market_file import read_market
from training.tasks import task_of


def forecast_table(predictor: BarsPredictor, panel: Panel, rows: Sequence[npt.NDArray[np.int64]]) -> pd.DataFrame:
    """Return forecasts of rows of a panel, and those of baselines, under the names of a version's test table."""
    columns, others = predictor.compare(panel, rows)
    at, symbol = panel_rows(panel, rows)
    out = {"symbol": np.asarray(panel.symbols, dtype=object)[symbol], "date": panel.dates[at]}
    task = task_of(predictor.kind)
    baselines = {name: others[name] for name, _ in task.layout.references if name in others}
    return pd.DataFrame(out | task.named_forecasts(columns, baselines))


@dataclass(frozen=True)
class FittedWindows:
    """The models of a walk-forward run's windows, which forecast the dates that tested them.

    ``tables`` are the run's forecasts: they say which symbol and date belongs to which window.
    """

    store: Store
    run: WalkForwardRun
    config: Config
    tables: Mapping[str, pd.DataFrame]

    @property
    def are_stored(self) -> bool:
        """Whether all models and market series are still in the store."""
        blocks = [name for kind in self.tables for window in self.run.kinds[kind].windows for name in window.blocks]
        return self.store.exists(self.run.market) and all(is_finished(self.store, name) for name in blocks)

    def __call__(self, bars: Sequence[SymbolBars]) -> dict[str, pd.DataFrame]:
        """Return the forecasts by kind of the same symbols and dates from other bars."""
        universe, context = read_market(self.store, self.run.market)
        features = self.config.features.model_copy(update={"universe_lag": universe.lag})
        label = self.config.direction.label
        table = build_universe(bars, features)
        panel = build_panel(bars, features, table, context, label, columns=self.run.feature_names)
        return {
            kind: pd.concat([self._forecast(panel, kind, *one) for one in models], ignore_index=True)
            for kind, models in self._models.items()
        }

    @cached_property
    def _models(self) -> dict[str, list[tuple[int, BarsPredictor]]]:
        return {kind: list(self._of_kind(kind)) for kind in self.tables}

    def _of_kind(self, kind: str) -> Iterator[tuple[int, BarsPredictor]]:
        for window in self.run.kinds[kind].windows:
            for name in window.blocks:
                block = read_block(self.store, name, test=False)
                yield window.number, predictor_from_block(block)

    def _forecast(self, panel: Panel, kind: str, window: int, predictor: BarsPredictor) -> pd.DataFrame:
        table = self.tables[kind]
        own = table[table["window"] == window]
        dates = {str(symbol): part["date"].to_numpy() for symbol, part in own.groupby("symbol", sort=False)}
        chosen = panel.select([symbol for symbol in predictor.symbols if symbol in dates and symbol in panel.symbols])
        rows = [
            np.flatnonzero(np.isin(chosen.dates[chosen.rows(i)], dates[symbol].astype(chosen.dates.dtype)))
            for i, symbol in enumerate(chosen.symbols)
        ]
        return forecast_table(predictor, chosen, rows).assign(window=window)

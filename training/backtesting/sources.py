"""Where out-of-sample forecasts come from: walk-forward runs, test tables of versions, and fitted predictors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from configs.errors import DataError, ModelError, shortened
from configs.load import validated
from features.any_bars import AnyBars
from features.bars.schema import SymbolBars
from features.store.parquet import to_frame
from features.store.store import Store
from features.usable_bars import usable_bars
from training.backtesting.forecast_bars import bars_of_run, bars_of_source, check_outcomes
from training.backtesting.forecasts import OutOfSample
from training.backtesting.origin import Origin
from training.backtesting.reforecast import FittedWindows, forecast_table
from training.predictors.bars_predictor import BarsPredictor
from training.predictors.input_bars import AnyContext
from training.registry.manager import ModelManager
from training.registry.walk_forwards import LATEST, WalkForwardRun, WalkForwards


def of_walk_forward(store: Store, name: str = LATEST) -> OutOfSample:
    """Return the forecasts of a walk-forward run: every window's models tested on the dates that follow.

    Raises
    ------
    ModelError
        There is no such run, it is damaged, no symbol could be fitted, or its bars are no longer available.
    """
    return of_run(store, WalkForwards(store).read(name))


def of_run(store: Store, run: WalkForwardRun) -> OutOfSample:
    """Return the forecasts of this walk-forward run."""
    config = validated(run.config, f"the settings of walk-forward run {run.name}")
    forecast = [kind for kind, scores in run.kinds.items() if any(window.file for window in scores.windows)]
    if not forecast:
        raise ModelError(f"walk-forward run {run.name} has no forecast: no symbol could be fitted. Give longer bars.")
    tables = {kind: to_frame(WalkForwards(store).forecasts(run, kind)) for kind in forecast}
    fitted = FittedWindows(store, run, config, tables)
    return OutOfSample(
        title=f"walk-forward run {run.name}",
        config=config,
        bars=tuple(bars_of_run(store, run, config)),
        tables=tables,
        models=fitted if fitted.are_stored else None,
        no_models="the fits of this run were pruned; run fleetcast walk-forward again for noisy prices",
        origin=Origin.of_run(run),
    )


def of_version(store: Store, version: str) -> OutOfSample:
    """Return the test tables of a version, of each kind that has it: forecasts made before the last fit.

    Raises
    ------
    ModelError
        There is no such version, or it has no test table.
    DataError
        The source has other bars than the version was tested on.
    """
    manager = ModelManager(store)
    tables, values = dict[str, pd.DataFrame](), dict[str, Any]()
    names = manager.find_all(version)
    manifests = [manager.manifest(kind, name) for kind, name in names]
    for one in manifests:
        tables[one.kind] = tested_table(manager, one.kind, one.version)
        values = {**one.config, **values, one.kind: one.config[one.kind]}
    title = " and ".join(f"{kind} {name}" for kind, name in names)
    config = validated(values, f"the settings of {title}")
    symbols = {str(symbol) for table in tables.values() for symbol in table["symbol"].unique()}
    bars = bars_of_source(store, config, symbols)
    for table in tables.values():
        check_outcomes(table, bars, config, title)
    return OutOfSample(
        title=f"the test period of {title}",
        config=config,
        bars=tuple(bars),
        tables=tables,
        no_models="noisy prices need the models that were tested, which only a walk-forward run keeps",
        origin=Origin.of_manifests(manifests),
    )


def of_predictor(predictor: BarsPredictor, given: AnyBars, context: AnyContext | None = None) -> OutOfSample:
    """Return a fitted predictor's forecasts of the bars whose outcomes it has not seen.

    Raises
    ------
    DataError
        It has seen the outcomes of all these bars.
    """
    bars = tuple(usable_bars(given, on_steps=predictor.config.data.on_steps))
    seen = np.datetime64(predictor.calibrated_to, "ns")

    def forecast(bars: Sequence[SymbolBars]) -> dict[str, pd.DataFrame]:
        panel = predictor.panel(list(bars), context=context)
        known = [name for name in panel.symbols if name in predictor.symbols]
        if not known:
            raise ModelError(f"the model was fitted on {shortened(predictor.symbols)}, none of which is given.")
        panel = panel.select(known)
        first = predictor.first_row(panel)
        rows = []
        for i in range(len(known)):
            dates = panel.dates[panel.rows(i)]
            rows.append(np.flatnonzero((dates >= seen) & (np.arange(len(dates)) >= first)))
        return {predictor.kind: forecast_table(predictor, panel, rows)}

    tables = forecast(bars)
    (table,) = tables.values()
    ends = min(one.dates[0] for one in bars), max(one.dates[-1] for one in bars)
    if table["date"].nunique() < 2:
        raise DataError(
            f"the bars are from {str(ends[0])[:10]} to {str(ends[1])[:10]}, and the model has seen outcomes up to "
            f"{str(seen)[:10]}: a backtest on them would be in sample. Give bars after that day, or the class of the "
            "model instead of a fitted one, which is fitted walk-forward."
        )
    first = str(table["date"].min())[:10]
    notes = (f"bars before {first} are not traded: the model has seen their outcomes",) if ends[0] < seen else ()
    return OutOfSample(
        title=f"a fitted {type(predictor).__name__}",
        config=predictor.config,
        bars=bars,
        tables=tables,
        models=forecast,
        notes=notes,
    )


def tested_table(manager: ModelManager, kind: str, version: str) -> pd.DataFrame:
    """Return a version's test table, by symbol and date; ``ModelError`` if it has none."""
    found = manager.test_predictions(kind, version)
    parts = [one.set_column(0, "symbol", one["symbol"].cast(pa.string())) for one in found]
    if not parts:
        raise ModelError(f"{kind} {version} has no test table. Train it with a test period, or use another version.")
    table = to_frame(pa.concat_tables(parts, promote_options="default"))
    return table.sort_values(["symbol", "date"], ignore_index=True)

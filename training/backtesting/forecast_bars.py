"""The bars that stored forecasts were made from, and the proof that they are the same."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from configs.errors import DataError, ModelError, StoreError, shortened
from configs.load import config_hash
from configs.schema import Config
from features.bars.schema import SymbolBars
from features.context_source import load_context
from features.labels import bar_variance, direction_labels, ewma_volatility, volatility_target
from features.sources import open_source
from features.sources.mended import MendedSource
from features.store.store import Store
from training.registry.walk_forwards import WalkForwardRun
from training.run.gathered import gather
from training.run.staging import read_staged
from training.run.survey import Survey

_GIVEN = "given"
_MOST_DIFFERENT = 0.001  # of rows: rounding may move a return over the edge of a class


def bars_of_run(store: Store, run: WalkForwardRun, config: Config) -> list[SymbolBars]:
    """Return the bars of a walk-forward run: those staged for it, or, where they were pruned, its source's again.

    Raises
    ------
    ModelError
        They were pruned, and the source has other bars now or was in memory.
    """
    try:
        return [bars for name, symbols in run.inputs for bars in read_staged(store, name, symbols)]
    except StoreError:
        pass
    again = "Run fleetcast walk-forward again with the same bars"
    if config.data.bars == _GIVEN:
        raise ModelError(f"the bars of walk-forward run {run.name} were given in memory and pruned. {again}.")
    source = open_source(config.data.bars, store, config.data.reading)
    found = gather(source, config, store, load_context(source, config, store), by_length=False)
    if config_hash(found.fingerprints(), found.market) != run.data_hash:
        raise ModelError(
            f"the bars of walk-forward run {run.name} were pruned, and {run.bars} has other bars now. {again}: windows "
            "whose bars are the same are not fitted again."
        )
    return [bars for name, symbols in found.inputs for bars in read_staged(store, name, symbols)]


def bars_of_source(store: Store, config: Config, symbols: Collection[str]) -> list[SymbolBars]:
    """Return the bars of these symbols as training reads them from the configured source.

    Raises
    ------
    DataError
        The source lacks a symbol, or was in memory.
    """
    if config.data.bars == _GIVEN:
        raise DataError("the models were trained on bars in memory. Use BacktestValidator().run_backtest(model, bars).")
    source = MendedSource(open_source(config.data.bars, store, config.data.reading), config.data.on_steps)
    found = [bars for bars in Survey().usable_bars(source, config.data) if bars.symbol in symbols]
    if missing := sorted(set(symbols) - {bars.symbol for bars in found}):
        raise DataError(f"{config.data.bars} has no bars of {shortened(missing)} any more. Train again.")
    return found


def check_outcomes(table: pd.DataFrame, bars: Collection[SymbolBars], config: Config, title: str) -> None:
    """Check that outcomes of stored forecasts are those of these bars.

    Raises
    ------
    DataError
        They differ or have no bar: the bars have changed since the forecasts were made.
    """
    by_symbol = {one.symbol: one for one in bars}
    for symbol, part in table.groupby(table["symbol"].astype(str), sort=False):
        own = by_symbol[str(symbol)]
        dates = part["date"].to_numpy().astype(own.dates.dtype)
        row = np.minimum(np.searchsorted(own.dates, dates), len(own) - 1)
        variance = bar_variance(own)
        if "target" in part.columns:
            known = volatility_target(variance, config.volatility.horizon)[row]
            same = np.isclose(known, part["target"].to_numpy(np.float64), rtol=1e-3)
        else:
            label = config.direction.label
            vol = ewma_volatility(variance, label.ewma_lambda)
            same = direction_labels(own.close, vol, config.direction.horizon, label)[row] == part["label"].to_numpy()
        same &= own.dates[row] == dates
        if (~same).mean() > _MOST_DIFFERENT:
            first = str(dates[~same][0])[:10]
            raise DataError(
                f"{config.data.bars} has other bars of {symbol} than {title} was tested on ({(~same).sum()} of "
                f"{len(part)} outcomes differ, the first on {first}). Restore the bars, or train again."
            )

"""The task of a sweep: features of sampled symbols, and folds that all end before the test period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from configs.data import SplitConfig
from configs.errors import DataError
from configs.load import config_hash
from configs.schema import Config
from configs.values import Kind
from features.any_bars import AnyBars
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.context_source import load_context
from features.panel import Panel
from features.sources import open_source
from features.splits import Split, walk_forward
from features.store.store import Store
from features.universe import UniverseTable
from features.usable_bars import usable_bars
from training.predictors.input_bars import AnyContext, context_of, panel_of
from training.registry.provenance import code_hash, library_versions
from training.registry.runs import STAGED, mark_in_use
from training.run.block_jobs import FITTING_CODE, FITTING_LIBRARIES, sampled
from training.run.market_file import read_market
from training.run.run_plan import make_plan
from training.run.staging import read_staged
from training.tasks import task_of


@dataclass(frozen=True, slots=True)
class SweepTask:
    """The data and folds of every trial of a sweep.

    ``panel`` has no bar of the test period. ``folds`` score trials; ``last`` tests later rows than all of them and
    scores only finalists. ``identity`` is a hash of bars, folds, symbols and the settings that do not vary: trials of
    equal identity compare. ``skipped`` maps symbols that cannot be used to the reason.
    """

    kind: Kind
    config: Config
    panel: Panel
    folds: tuple[Split, ...]
    last: Split
    identity: str
    skipped: Mapping[str, str]

    @property
    def horizon(self) -> int:
        """The horizon of forecasts in bars."""
        return self.config.section(self.kind).horizon

    @property
    def until(self) -> str:
        """The last day that the sweep uses."""
        return str(self.last.test_end.astype("datetime64[D]"))


def task_of_source(config: Config, kind: Kind, store: Store) -> SweepTask:
    """Return the task of a sample of the configured source's symbols, up to the end of the validation period.

    Raises
    ------
    DataError
        No symbol can be trained, or there are too few dates for the folds.
    """
    run = config.run.model_copy(update={"kinds": (kind,)})
    config = config.model_copy(update={"run": run})
    mark_in_use(store, STAGED)
    source = open_source(config.data.bars, store, config.data.reading)
    plan = make_plan(source, config, store, load_context(source, config, store))
    chosen = frozenset(sampled({symbol for job in plan.blocks(kind) for symbol in job.symbols}, config.tune.symbols, 0))
    table, context = read_market(store, plan.market)
    end = plan.split(kind).valid_end
    bars = [
        series.first(int(np.searchsorted(series.dates, end, side="right")))
        for job in plan.blocks(kind)
        for name, symbols in job.inputs
        for series in read_staged(store, name, sorted(chosen.intersection(symbols)))
    ]
    bars = [series for series in bars if len(series)]
    return _task(config, kind, bars, table, context, plan.feature_names, plan.data_hash, plan.skipped)


def task_of_bars(bars: AnyBars, config: Config, kind: Kind, context: AnyContext | None = None) -> SweepTask:
    """Return the task of the given bars. Folds extend to their end, so they must not include the test period."""
    universe = usable_bars(bars, on_steps=config.data.on_steps, stacklevel=3)
    chosen = frozenset(sampled({series.symbol for series in universe}, config.tune.symbols, 0))
    sample = [series for series in universe if series.symbol in chosen]
    data = [(series.symbol, len(series), str(series.dates[-1]), float(series.close.sum())) for series in universe]
    return _task(config, kind, sample, universe, context_of(context, config), None, config_hash(data), {})


def _task(
    config: Config,
    kind: Kind,
    bars: Sequence[SymbolBars],
    universe: Sequence[SymbolBars] | UniverseTable,
    context: MarketContext | None,
    columns: Sequence[str] | None,
    data_hash: str,
    skipped: Mapping[str, str],
) -> SweepTask:
    bars = sorted(bars, key=lambda series: series.symbol)
    panel = panel_of(bars, universe, config, context, columns)
    horizon = config.section(kind).horizon
    folds = _folds(panel.dates, config, horizon)
    identity = config_hash(
        config.of_models() | {"run": {"seed": config.run.seed}, "data": {}},
        [config.tune.folds, config.tune.scored_fraction],
        [kind, data_hash, panel.symbols],
        [library_versions(FITTING_LIBRARIES), code_hash(FITTING_CODE)],
    )
    return SweepTask(kind, config, panel, tuple(folds[:-1]), folds[-1], identity, skipped)


def _folds(dates: npt.NDArray[np.datetime64], config: Config, horizon: int) -> list[Split]:
    """Return the folds that score trials, and the last one; their test parts together are the scored fraction."""
    tune, base = config.tune, config.split
    split = SplitConfig(
        valid_fraction=base.valid_fraction * (1.0 - tune.scored_fraction),
        test_fraction=tune.scored_fraction,
        embargo=base.embargo,
    )
    try:
        return walk_forward(dates, tune.folds + 1, split, horizon)
    except DataError as error:
        raise DataError(
            f"{tune.folds} folds and the last one do not fit the dates before the test period: {error} Or lower "
            "tune.folds or raise tune.scored_fraction."
        ) from error


def task_settings(config: Config, kind: Kind) -> dict[str, Any]:
    """Return as JSON the settings of a kind that decide what is forecast and how symbols share a fit."""
    section = config.section(kind)
    settings: dict[str, Any] = {"horizon": section.horizon, "strategy": section.strategy}
    return {**settings, **task_of(kind).identity(config)}

"""Checks of a walk-forward run's inputs and models: nothing uses the future, and how much of the past a forecast needs.

Both cut the bars and compute again. What was fitted on whole bars is compared with a fit on cut bars in an empty store,
where no finished fit can stand in for it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.load import validated
from configs.values import Kind
from features.bars.quarantine import COLUMNS, Quarantine
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.panel import Panel
from features.sources.given import GivenSource
from features.store.parquet import to_frame
from features.store.store import Store
from training.predictors import BarsPredictor, predictor_from_block
from training.registry.block_files import is_finished
from training.registry.blocks import read_block
from training.registry.walk_forwards import WalkForwards
from training.run.market_file import read_market
from training.run.plan_bars import bars_of_plan
from training.run.run_plan import RunPlan
from training.validation.folds import stop_of
from training.validation.look_ahead import Forecaster, LookAhead, bars_needed, check_look_ahead, sampled_cuts
from training.walk_forward import WalkForward, WalkForwardResult
from training.walk_importances import importances_by_window

_SYMBOLS = 8  # enough to show a column that uses the future, few enough for seconds
_LENGTHS = (60, 90, 130, 200, 300, 500, 750, 1000, 1500, 2000)


@dataclass(frozen=True, slots=True)
class Refitted:
    """One window fitted again on bars that end with it: how many forecasts were compared, and how many differ."""

    kind: str
    window: int
    compared: int
    different: int


@dataclass(frozen=True, slots=True)
class Checks:
    """What checks found, by kind of model; empty where none was asked for.

    ``importances`` are those of features by window, see :func:`.importances_by_window`.
    """

    look_ahead: dict[str, LookAhead] = field(default_factory=dict)
    refitted: dict[str, Refitted] = field(default_factory=dict)
    history: dict[str, dict[str, int | None]] = field(default_factory=dict)
    importances: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether something uses the future."""
        return any(one.leaks for one in self.look_ahead.values()) or any(x.different for x in self.refitted.values())


def run_checks(
    walk: WalkForward, result: WalkForwardResult, *, future: bool = False, past: bool = False, features: bool = False
) -> Checks:
    """Check each kind of model of a run.

    For use of the ``future``, for how much of the ``past`` it needs, and for which ``features`` it uses in each window.
    """
    checks = Checks()
    for kind in result.plan.config.run.kinds:
        if future:
            checks.look_ahead[kind] = look_ahead(walk.store, result, kind)
            checks.refitted[kind] = refitted(walk, result, kind)
        if past:
            checks.history[kind] = history_needed(walk.store, result, kind)
        if features:
            checks.importances[kind] = importances_by_window(walk.store, result.plan, kind)
    return checks


def look_ahead(store: Store, result: WalkForwardResult, kind: Kind) -> LookAhead:
    """Compare features, and forecasts of the newest window's models, with those from bars that end at sampled dates."""
    bars, context, forecast = _inputs(store, result.plan, kind)
    config = result.plan.config
    cuts = sampled_cuts(np.concatenate([one.dates for one in bars]), _LENGTHS[2], config.run.seed)
    return check_look_ahead(bars, config, context, result.plan.feature_names, cuts, forecast)


def history_needed(store: Store, result: WalkForwardResult, kind: Kind) -> dict[str, int | None]:
    """Return how many bars each feature and forecast needs to be what it is with the whole history."""
    bars, context, forecast = _inputs(store, result.plan, kind)
    shortest = min(len(one) for one in bars)
    lengths = [length for length in _LENGTHS if length < shortest]
    return bars_needed(bars, result.plan.config, context, result.plan.feature_names, lengths, forecast)


def refitted(walk: WalkForward, result: WalkForwardResult, kind: Kind) -> Refitted:
    """Fit the newest window again, in an empty store, on bars that end with it; compare its forecasts bit by bit."""
    plan, store = result.plan, walk.store
    fold = plan.fold(kind, len(plan.folds[kind]) - 1)
    horizon = plan.config.section(kind).horizon
    bars = [one.first(stop_of(one.dates, fold, horizon)) for one in bars_of_plan(store, plan)]
    universe, context = read_market(store, plan.market)
    # What was decided on all bars stays: which were mended, left out or too few, and the lag of the universe.
    values = plan.config.model_dump()
    values["run"]["kinds"], values["features"]["universe_lag"] = (kind,), universe.lag
    values["data"] |= {"on_steps": "keep", "min_bars": 1, "start": None, "end": None}
    with tempfile.TemporaryDirectory() as folder:
        other = WalkForward(validated(values, "this check"), folder)
        prepared = other.prepare(GivenSource(bars, _marks(bars, plan.clean)), context)
        jobs = tuple(job for job in prepared.plan.jobs if job.fold == fold.number)
        again = other.run(replace(prepared, plan=prepared.plan.model_copy(update={"jobs": jobs})))
        theirs = _window_of(other.store, again, kind, fold.number)
    ours = _window_of(store, result, kind, fold.number)
    key = ["symbol", "date"]
    both = ours.merge(theirs, on=key, suffixes=("", "_again"))
    same = np.ones(len(both), bool)
    for name in ours.columns.difference(key):
        left, right = both[name].to_numpy(), both[f"{name}_again"].to_numpy()
        same &= (left == right) | (pd.isna(left) & pd.isna(right))
    return Refitted(kind, fold.number, len(ours), len(ours) - int(same.sum()))


def _window_of(store: Store, result: WalkForwardResult, kind: Kind, number: int) -> pd.DataFrame:
    frame = to_frame(WalkForwards(store).forecasts(result.run, kind))
    return frame[frame["window"] == number]


def _marks(bars: Sequence[SymbolBars], clean: Collection[str]) -> Quarantine:
    """Return a row that was left out for each symbol that is not among the clean ones."""
    rows = [{"symbol": one.symbol, "date": one.dates[0], "rule": "spike"} for one in bars if one.symbol not in clean]
    return Quarantine(pd.DataFrame(rows, columns=list(COLUMNS))) if rows else Quarantine.empty()


def _inputs(
    store: Store, plan: RunPlan, kind: Kind
) -> tuple[list[SymbolBars], MarketContext | None, Forecaster | None]:
    """Return some symbols' bars, the market series, and the newest window's models of these symbols."""
    bars = bars_of_plan(store, plan, _SYMBOLS)
    _, context = read_market(store, plan.market)
    fits = [job.fit for job in plan.blocks(kind) if bars[0].symbol in job.symbols and job.fit is not None]
    blocks = (read_block(store, fit) for fit in reversed(fits) if is_finished(store, fit))
    block = next((one for one in blocks if one.symbols), None)
    if block is None:
        return bars, context, None
    predictor = predictor_from_block(block)
    return bars, context, partial(_forecast, predictor)


def _forecast(predictor: BarsPredictor, panel: Panel, symbol: int, row: int) -> npt.NDArray[np.floating]:
    """Return the numbers of a symbol's forecast at a row of a panel; none where it cannot have one."""
    known = panel.symbols[symbol] in predictor.symbols
    if not known or row < predictor.first_row(panel):
        return np.zeros(0)
    columns = predictor.forecast(panel.select(panel.symbols[symbol : symbol + 1]), [np.array([row])])
    numbers = [
        np.asarray(values, np.float64).ravel() for _, values in sorted(columns.items()) if values.dtype.kind in "fb"
    ]
    return np.concatenate(numbers)

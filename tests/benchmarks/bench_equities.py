"""What the models are worth on real stocks, year by year: forecasts against baselines, and portfolios after costs.

``python tests/benchmarks/bench_equities.py --bars BARS.parquet [--symbols 228] [--first 2005-01-01] [--last 2018-12-31]
[--train-window 1000] [--test-window 251] [--store FOLDER] [--set section.key=value]``

Walk-forward from ``--first`` on, of the symbols with the most bars; 14 test windows of 251 dates cover 2005 to 2018.
With ``--store`` fits are kept, so the same command again reads them. Bars of companies that still exist say nothing of
what buying them would have earned: only differences between accounts on the same symbols are of use. Errors are
clustered by day, differences of accounts paired by bar. The last line is JSON: for each year ``qlike_vs_log_har``,
``log_loss_vs_prior`` and ``rank_correlation`` with ``_se``, all years under ``all``, and for each strategy its Sharpe
ratio and the differences from each other account.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs import Config, load_config
from configs.words import counted, signed
from features.bars.schema import SymbolBars
from features.sources import open_source
from features.sources.given import GivenSource
from features.store.parquet import to_frame
from features.store.store import Store
from training.backtest import Backtest
from training.backtesting.report.numbers import number, percent
from training.backtesting.result import BacktestResult, known
from training.backtesting.statements import added
from training.metrics.clustered import long_run_se
from training.metrics.comparison import Comparison
from training.registry.walk_forwards import WalkForwardRun, WalkForwards
from training.walk_forward import WalkForward

STRATEGIES = ("volatility_target", "direction", "direction_x_volatility", "relative_rank")
_LOSSES = {"volatility": ("qlike_vs_log_har", "loss_log_har"), "direction": ("log_loss_vs_prior", "loss_prior")}


class ByDay(NamedTuple):
    """A statistic by day: its sums and numbers of rows, and over how many days it overlaps."""

    sums: pd.Series
    counts: pd.Series
    overlap: int

    def mean(self, year: int | None = None) -> Comparison:
        """Return the mean of a year, or of all, with its standard error clustered by day."""
        chosen = slice(None) if year is None else pd.DatetimeIndex(self.sums.index).year == year
        sums, counts = self.sums.loc[chosen].to_numpy(float), self.counts.loc[chosen].to_numpy(float)
        if not counts.sum():
            return Comparison(float("nan"), float("nan"))
        value = sums.sum() / counts.sum()
        return Comparison(float(value), float(long_run_se((sums - value * counts) / counts.sum(), self.overlap)))


def chosen_bars(given: argparse.Namespace) -> list[SymbolBars]:
    """Return the bars of the symbols with the most of them, from one train window before the first test on."""
    with tempfile.TemporaryDirectory() as folder:
        everything = list(open_source(given.bars, Store(folder)).load())
    chosen = sorted(everything, key=lambda one: (-len(one), one.symbol))[: given.symbols]
    dates = np.unique(np.concatenate([one.dates for one in chosen]))
    start = int(np.searchsorted(dates, np.datetime64(given.first))) - given.train_window
    if start < 0:
        sys.exit(f"there are {start + given.train_window} dates before {given.first}; {given.train_window} are needed")
    end = np.datetime64(given.last) + np.timedelta64(1, "D")
    places = [np.searchsorted(one.dates, [dates[start], end]).tolist() for one in chosen]
    return [one.take(slice(*place)) for one, place in zip(chosen, places, strict=True) if place[1] > place[0]]


def less_baseline(table: pd.DataFrame, baseline: str, overlap: int) -> ByDay:
    """Return the model's losses less those of a baseline, by day."""
    by_day = (table["loss"] - table[baseline]).groupby(table["date"])
    return ByDay(by_day.sum(), by_day.count(), overlap)


def rank_correlations(table: pd.DataFrame, bars: Sequence[SymbolBars], horizon: int) -> ByDay:
    """Return the Spearman correlation over symbols of p(up) − p(down) with the return that followed, by day."""
    ahead = [
        pd.Series(np.log(one.close[horizon:] / one.close[:-horizon]), one.dates[:-horizon], name=one.symbol)
        for one in bars
    ]
    lean = table.assign(lean=table["p_up"] - table["p_down"]).pivot(index="date", columns="symbol", values="lean")
    after = pd.concat(ahead, axis=1).reindex(index=lean.index, columns=lean.columns)
    # A day on which the model prefers no symbol has no order.
    found = lean.rank(axis=1).corrwith(after.where(lean.notna()).rank(axis=1), axis=1)
    return ByDay(found.fillna(0.0), found.notna().astype(float), horizon - 1)


def by_day(run: WalkForwardRun, runs: WalkForwards, bars: Sequence[SymbolBars], config: Config) -> dict[str, ByDay]:
    """Return each statistic of the forecasts by day."""
    out = dict[str, ByDay]()
    for kind in run.kinds:
        table, horizon = to_frame(runs.forecasts(run, kind)), config.section(kind).horizon
        name, baseline = _LOSSES[kind]
        out[name] = less_baseline(table, baseline, horizon - 1)
        if kind == "direction":
            out["rank_correlation"] = rank_correlations(table, bars, horizon)
    return out


def years_of(statistics: Mapping[str, ByDay]) -> dict[str, dict[str, Any]]:
    """Return the statistics of each year, and of all under ``all``."""
    years = sorted({year for one in statistics.values() for year in pd.DatetimeIndex(one.sums.index).year})
    out: dict[str, dict[str, Any]] = {}
    for year in (*years, None):
        found = {name: one.mean(year) for name, one in statistics.items()}
        values = {name: one.value for name, one in found.items()} | {
            f"{name}_se": one.se for name, one in found.items()
        }
        out["all" if year is None else str(year)] = known(values)
    return out


def summary(result: BacktestResult) -> dict[str, Any]:
    """Return a backtest's ratio, and its differences from other accounts."""
    differences = {one.name: {"return": one.of_return, "sharpe": one.of_sharpe} for one in result.compared}
    figures = {name: result.metrics[name] for name in ("sharpe", "cagr", "volatility", "max_drawdown", "turnover")}
    found: dict[str, Any] = known({**figures, "less": differences, "sentence": result.sentence})
    return found


def show(years: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> None:
    """Print a row a year."""
    print("year  " + "".join(f"{name:>26}" for name in names))
    for year, found in years.items():
        cells = (_cell(found[name], found[f"{name}_se"]) for name in names)
        print(f"{year:6}" + "".join(f"{cell:>26}" for cell in cells))


def _cell(value: npt.ArrayLike | None, error: npt.ArrayLike | None) -> str:
    if value is None:
        return "–"
    return f"{signed(float(np.asarray(value)))} ± {'?' if error is None else f'{float(np.asarray(error)):.4f}'}"


def study(given: argparse.Namespace, store: str) -> dict[str, Any]:
    """Fit, forecast, trade and print."""
    bars = chosen_bars(given)
    windows = f"walk_forward={{train_window: {given.train_window}, test_window: {given.test_window}}}"
    config = load_config("equities", overrides=[windows, *given.overrides])
    walk = WalkForward(config, store)
    result = walk.run(walk.prepare(GivenSource(bars)))
    run = result.run
    print(
        f"{len(run.symbols)} symbols, {result.fits} of {result.jobs} fits done now, "
        f"{sum(result.seconds.values()):.0f} s"
    )
    statistics = by_day(run, WalkForwards(walk.store), bars, config)
    years = years_of(statistics)
    print("\nthe model less its baseline (below 0: the model is better), and its rank correlation with returns")
    show(years, list(statistics))
    strategies = dict[str, Any]()
    print("\nafter costs of US equities; these companies survived, so compare accounts and trust no return")
    for name in STRATEGIES:
        if name != "volatility_target" and "direction" not in run.kinds:
            continue
        found = Backtest(load_config("equities", overrides=[f"strategy.name={name}", *given.overrides]), walk.store)
        traded = found.of_walk_forward(run.name)
        strategies[name] = summary(traded)
        ratio, volatility = number(traded.sharpe_ratio), percent(traded.volatility)
        print(f"{name}: Sharpe {ratio}, volatility {volatility}, {counted(traded.num_trades, 'order')}")
        for sentence in (*added(traded), traded.sentence):
            print(f"  {sentence}")
    return {"symbols": len(run.symbols), "fits": result.fits, "years": years, "strategies": strategies}


def main() -> None:
    """Do the study once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", required=True)
    parser.add_argument("--symbols", type=int, default=None, help="how many; by default all")
    parser.add_argument("--first", default="2005-01-01", help="first day that is tested")
    parser.add_argument("--last", default="2018-12-31")
    parser.add_argument("--train-window", type=int, default=1000)
    parser.add_argument("--test-window", type=int, default=251)
    parser.add_argument("--store", help="a folder for fits; by default they are deleted")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="section.key=value")
    given = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = study(given, given.store or folder)
    print(json.dumps(found | {"seconds": round(time.perf_counter() - start, 1)}))


if __name__ == "__main__":
    main()

"""Speed of the accounting and of the bootstrap, and equality with vectorbt where it is installed.

``python tests/benchmarks/bench_backtest.py [--symbols 500] [--bars 2520] [--paths 10000] [--repeats 5]
[--vectorbt-python VENV/bin/python]``

vectorbt's licence keeps it out of the project: install it into an environment of its own and name that interpreter. The
last line is JSON. ``ns_per_cell`` is a simulation with all costs and all metrics, a symbol and bar, from bars that are
aligned; ``…_from_frames`` reads a frame a symbol first, ``…_weekly_weights`` and ``…_daily_weights`` rebalance every
fifth and every bar. ``ratio_to_vectorbt_warm`` and ``…_first`` are the time for equity and metrics of the same orders,
with fees and slippage, over that of vectorbt's later and first calls; ``largest_difference`` is relative, of equity.
``monte_carlo_s`` is the time of confidence intervals of all metrics.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.validation.backtest.costs import Costs
from training.validation.backtest.read_market import read_market
from training.validation.backtest.simulate import simulate
from training.validation.significance.bootstrap import bootstrap_metrics

CASH = 1e9
ALL = Costs(
    half_spread_bps=2,
    slippage_bps=1,
    commission_bps=1,
    commission_per_share=0.005,
    commission_min=1,
    impact=1,
    participation_cap=0.1,
    borrow_bps_per_bar=0.2,
    funding_bps_per_bar=0.1,
    cash_interest_bps_per_bar=0.5,
    margin_interest_bps_per_bar=2,
)
RIVAL = """
import json, sys, time
import numpy as np, pandas as pd
import vectorbt as vbt

data = np.load(sys.argv[1])
index = pd.DatetimeIndex(data["dates"])
open_, close, size = (pd.DataFrame(data[name], index=index) for name in ("open", "close", "size"))

def run():
    portfolio = vbt.Portfolio.from_orders(
        close, size=size, price=open_, fees=float(data["fees"]), slippage=float(data["slippage"]), freq="1D",
        init_cash=float(data["cash"]), cash_sharing=True, group_by=True,
    )
    value = portfolio.value()
    metrics = [portfolio.total_return(), portfolio.annualized_return(), portfolio.annualized_volatility(),
               portfolio.sharpe_ratio(), portfolio.sortino_ratio(), portfolio.max_drawdown(), portfolio.calmar_ratio()]
    return value.to_numpy(), metrics

times = []
for _ in range(1 + int(sys.argv[3])):
    start = time.perf_counter()
    value, _ = run()
    times.append(time.perf_counter() - start)
np.save(sys.argv[2], value)
print(json.dumps({"first": times[0], "warm": min(times[1:])}))
"""


def universe(symbols: int, bars: int) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Return random bars, and targets in shares of which each changes in a twentieth of the bars."""
    g = np.random.default_rng(0)
    dates = pd.bdate_range("2010-01-01", periods=bars)
    close = 50 * np.exp(np.cumsum(g.normal(0, 0.02, (bars, symbols)), axis=0))
    open_ = close * np.exp(g.normal(0, 0.005, (bars, symbols)))
    high, low = np.maximum(open_, close) * 1.005, np.minimum(open_, close) * 0.995
    volume = g.integers(1e5, 1e6, (bars, symbols)).astype(float)
    columns = zip(open_.T, high.T, low.T, close.T, volume.T, strict=True)
    names = ("Open", "High", "Low", "Close", "Volume")
    frames = {f"S{s}": pd.DataFrame(dict(zip(names, own, strict=True)), index=dates) for s, own in enumerate(columns)}
    shares = np.where(g.random((bars, symbols)) < 0.05, g.integers(-100, 101, (bars, symbols)), np.nan)
    return frames, pd.DataFrame(shares, index=dates, columns=list(frames)).ffill().fillna(0.0)


def best_of(repeats: int, work: Callable[[], Any]) -> float:
    """Return the shortest wall time in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def rival(python: str, market: Any, targets: pd.DataFrame, repeats: int) -> dict[str, float]:
    """Return times of vectorbt and of this project with the same orders, and the largest relative difference."""
    costs = Costs(slippage_bps=3, commission_bps=10)

    def ours() -> np.ndarray:
        result = simulate(market, targets, costs, cash=CASH)
        result.metrics(365)
        return result.ledger.equity

    equity = ours()
    seconds = best_of(repeats, ours)
    size = np.diff(np.vstack([np.zeros((2, targets.shape[1])), targets.to_numpy()[:-1]]), axis=0)
    size[size == 0] = np.nan
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "given.npz"), Path(folder, "found.npy")
        np.savez(
            given,
            dates=market.dates,
            open=market.open,
            close=market.close,
            size=size,
            fees=10e-4,
            slippage=3e-4,
            cash=CASH,
        )
        command = [python, "-c", RIVAL, str(given), str(found), str(repeats)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        theirs = json.loads(out.splitlines()[-1])
        value = np.load(found)
    return {
        "seconds": seconds,
        "vectorbt_warm_s": theirs["warm"],
        "vectorbt_first_s": theirs["first"],
        "ratio_to_vectorbt_warm": seconds / theirs["warm"],
        "ratio_to_vectorbt_first": seconds / theirs["first"],
        "largest_difference": float(np.abs(value / equity - 1.0).max()),
    }


def main() -> None:
    """Measure, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--bars", type=int, default=2_520)
    parser.add_argument("--paths", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--vectorbt-python", help="interpreter of an environment with vectorbt")
    options = parser.parse_args()
    frames, shares = universe(options.symbols, options.bars)
    market = read_market(frames)
    weights = shares.div(shares.abs().sum(axis=1).clip(lower=1), axis=0)
    weekly = weights.iloc[::5]
    cells = options.symbols * options.bars / 1e9

    def timed(bars: Any, targets: pd.DataFrame, unit: Any) -> float:
        work = lambda: simulate(bars, targets, ALL, cash=CASH, unit=unit).metrics(252)  # noqa: E731
        return best_of(options.repeats, work) / cells

    result: dict[str, Any] = {
        "ns_per_cell": timed(market, shares, "shares"),
        "ns_per_cell_from_frames": timed(frames, shares, "shares"),
        "ns_per_cell_weekly_weights": timed(market, weekly, "weight"),
        "ns_per_cell_daily_weights": timed(market, weights, "weight"),
    }
    returns = np.random.default_rng(1).standard_t(4, options.bars) * 0.01
    bootstrap_metrics(returns, 252, 10)
    result["monte_carlo_s"] = best_of(
        max(options.repeats // 2, 1), lambda: bootstrap_metrics(returns, 252, options.paths)
    )
    keys = ("ratio_to_vectorbt_warm", "ratio_to_vectorbt_first", "largest_difference")
    result |= dict.fromkeys(keys)
    if options.vectorbt_python:
        result |= rival(options.vectorbt_python, market, shares, options.repeats)
    for name, value in result.items():
        print(f"{name:28} {'not measured' if value is None else f'{value:.4g}'}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()

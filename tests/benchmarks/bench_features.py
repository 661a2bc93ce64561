"""How fast all features are made, against the same columns through pandas, and what a panel weighs.

``python tests/benchmarks/bench_features.py [--bars BARS.parquet] [--symbols 200] [--bars-per-symbol 4700]``

Without bars, prices are simulated. The last line is JSON: ``ms_per_symbol`` (median over symbols of all ``columns``,
CPU time, from bars in memory), ``slowest_family`` and its ``slowest_family_ms``,
``universe_ms_per_symbol`` (building the table that all symbols share), ``ratio_vs_pandas`` on the ``compared_columns``
alone, ``panel_bytes_ratio`` and ``peak_bytes_ratio`` (the panel, and the peak while it is built, over bars × features ×
4 bytes).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from configs.data import FeatureConfig
from features import Panel, SymbolBars, UniverseTable, bars_from_frame, build_panel, build_universe, feature_names
from features.feature_plan import FeaturePlan, plan_features
from features.inputs import Inputs

_REPEATS = 3
_SETTLED = 1500  # rows after which two ways of starting a recursive average of 60 bars agree to 1e-9


def pandas_reference(bars: SymbolBars) -> dict[str, pd.Series]:
    """Return a subset of the columns as a good pandas user computes them: rolling and ewm methods, no ``apply``."""
    p = {f: pd.Series(getattr(bars, f)) for f in ("open", "high", "low", "close", "volume")}
    close, log_close = p["close"], np.log(p["close"])
    returns = log_close.diff()
    out = {f"roc_{w}": log_close.diff(w) for w in (1, 5, 20, 60)}
    typical = (p["high"] + p["low"] + close) / 3.0
    money = typical * p["volume"]
    move = close.diff()
    rises, falls = move.clip(lower=0.0), -move.clip(upper=0.0)
    previous = close.shift()
    true_range = pd.concat([p["high"], previous], axis=1).max(axis=1) - pd.concat([p["low"], previous], axis=1).min(
        axis=1
    )
    spread, body = np.log(p["high"] / p["low"]), np.log(close / p["open"])
    overnight = np.log(p["open"] / previous)
    up, down = np.log(p["high"] / p["open"]), np.log(p["low"] / p["open"])
    variance = overnight**2 + 0.5 * spread**2 - (2.0 * np.log(2.0) - 1.0) * body**2
    for w in (5, 20, 60):
        out[f"sma_distance_{w}"] = np.log(close / close.rolling(w).mean())
        rise, fall = rises.ewm(alpha=1 / w, adjust=False).mean(), falls.ewm(alpha=1 / w, adjust=False).mean()
        out[f"rsi_{w}"] = (rise - fall) / (rise + fall)
        high, low = p["high"].rolling(w).max(), p["low"].rolling(w).min()
        out[f"williams_r_{w}"] = 2.0 * (close - low) / (high - low) - 1.0
        out[f"vwap_distance_{w}"] = np.log(close * p["volume"].rolling(w).sum() / money.rolling(w).sum())
        out[f"volume_ratio_{w}"] = np.log1p(p["volume"] / p["volume"].rolling(w).mean()) - np.log(2.0)
    for w in (5, 20):
        out[f"atr_{w}"] = np.log(true_range.ewm(alpha=1 / w, adjust=False).mean() / close)
    for w in (20, 60):
        out[f"ema_distance_{w}"] = np.log(close / close.ewm(span=w, adjust=False).mean())
        deviation = log_close.rolling(w).std(ddof=0)
        out[f"bollinger_position_{w}"] = (log_close - log_close.rolling(w).mean()) / deviation
        out[f"bollinger_width_{w}"] = np.log(deviation)
        out[f"momentum_t_{w}"] = log_close.diff(w) / (returns.rolling(w).std(ddof=0) * np.sqrt(w))
        out[f"price_percentile_{w}"] = (close.rolling(w).rank() - 0.5) / w - 0.5
        out[f"drawdown_{w}"] = np.log(close / close.rolling(w).max())
        out[f"trend_efficiency_{w}"] = log_close.diff(w) / returns.abs().rolling(w).sum()
        out[f"trend_consistency_{w}"] = np.sign(returns).rolling(w).mean()
    line = log_close.ewm(span=12, adjust=False).mean() - log_close.ewm(span=26, adjust=False).mean()
    out["macd"], out["macd_histogram"] = line, line - line.ewm(span=9, adjust=False).mean()
    out["stochastic_20"] = out["williams_r_20"].rolling(3).mean()
    out["parkinson_20"] = 0.5 * np.log((spread**2).rolling(20).mean() / (4.0 * np.log(2.0)))
    garman_klass = 0.5 * spread**2 - (2.0 * np.log(2.0) - 1.0) * body**2
    out["garman_klass_20"] = 0.5 * np.log(garman_klass.rolling(20).mean())
    rogers_satchell = (up * (up - body) + down * (down - body)).rolling(20).mean()
    out["rogers_satchell_20"] = 0.5 * np.log(rogers_satchell)
    k = 0.34 / (1.34 + 21 / 19)
    out["yang_zhang_20"] = 0.5 * np.log(
        overnight.rolling(20).var() + k * body.rolling(20).var() + (1.0 - k) * rogers_satchell
    )
    out["ewma_volatility"] = 0.5 * np.log(variance.ewm(alpha=0.06).mean())
    out["ewma_fast_ratio"] = 0.5 * np.log(variance.ewm(alpha=0.25).mean()) - out["ewma_volatility"]
    floor = 0.01 * variance.rolling(22).mean()
    for w in (1, 5, 22, 66):
        out[f"har_{w}"] = np.log(variance.rolling(w).mean().clip(lower=floor))
    out["volatility_clustering_60"] = returns.abs().rolling(60).corr(returns.abs().shift())
    out["return_autocorrelation_60"] = returns.rolling(60).corr(returns.shift())
    usual = p["volume"].rolling(60).mean()
    out["volume_zscore_60"] = (p["volume"] - usual) / p["volume"].rolling(60).std(ddof=0)
    out["volume_trend_60"] = np.log(p["volume"].rolling(5).mean() / usual)
    out["volume_return_correlation_60"] = returns.abs().rolling(60).corr(p["volume"])
    return out


def milliseconds(work: Callable[[], object]) -> float:
    """Return the least CPU time of a few runs: what the work costs when nothing else wants the core."""
    taken = []
    for _ in range(_REPEATS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return 1e3 * min(taken)


def simulated(symbols: int, bars_per_symbol: int) -> list[SymbolBars]:
    """Return random walks with ranges and volume on common business days."""
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2000-01-03", periods=bars_per_symbol).to_numpy("datetime64[ns]")
    out = []
    for i in range(symbols):
        close = 50.0 * np.exp(np.cumsum(0.02 * rng.standard_t(5, bars_per_symbol)))
        open_ = close * np.exp(0.01 * rng.normal(size=bars_per_symbol))
        high = np.maximum(open_, close) * np.exp(np.abs(0.005 * rng.normal(size=bars_per_symbol)))
        low = np.minimum(open_, close) * np.exp(-np.abs(0.005 * rng.normal(size=bars_per_symbol)))
        volume = np.exp(13.0 + rng.normal(size=bars_per_symbol))
        out.append(SymbolBars(f"S{i}", dates, open_, high, low, close, volume, True, True))
    return out


def slowest_family(plan: FeaturePlan, bars: SymbolBars) -> tuple[float, str]:
    """Return the family that adds most to a symbol whose shared quantities are known, and its milliseconds."""
    inputs = Inputs(bars, plan.layout, plan.universe, plan.context)
    with np.errstate(all="ignore"):
        return max((milliseconds(lambda spec=spec: spec.compute(inputs)), spec.name) for spec, _ in plan.steps)


def read(path: str, symbols: int, bars_per_symbol: int) -> list[SymbolBars]:
    """Return the symbols with the most bars, each cut to its last ones."""
    bars, _ = bars_from_frame(pd.read_parquet(path), place=path)
    longest = sorted(bars, key=len, reverse=True)[:symbols]
    fields = ("dates", "open", "high", "low", "close", "volume")
    return [replace(b, **{f: getattr(b, f)[-bars_per_symbol:].copy() for f in fields}) for b in longest]


def disagreement(bars: SymbolBars, columns: list[str], got: np.ndarray) -> tuple[float, str]:
    """Return the largest difference from pandas relative to the column's spread, after averages have settled."""
    worst = (0.0, "")
    for j, (name, series) in enumerate((n, pandas_reference(bars)[n]) for n in columns):
        expected = series.to_numpy()[_SETTLED:]
        difference = np.abs(got[_SETTLED:, j] - expected)
        if np.isnan(difference).any() and not np.array_equal(np.isnan(got[_SETTLED:, j]), np.isnan(expected)):
            return float("inf"), name
        worst = max(worst, (float(np.nanmax(difference) / np.nanstd(expected)), name))
    return worst


def all_columns(
    bars: list[SymbolBars], config: FeatureConfig, universe: UniverseTable
) -> tuple[FeaturePlan, list[float]]:
    """Return the plan of every feature and each symbol's milliseconds."""
    plan = plan_features(config, universe=universe)
    out = np.empty((max(map(len, bars)), len(plan.names)), np.float32)
    return plan, [milliseconds(lambda b=b: plan.compute(b, out[: len(b)])) for b in bars]


def weigh(bars: list[SymbolBars], config: FeatureConfig, universe: UniverseTable) -> tuple[Panel, int, int]:
    """Return the panel, its bytes and the peak of bytes while it was built."""
    tracemalloc.start()
    panel = build_panel(bars, config, universe)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return panel, held, peak


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", help="bars in any form that fleetcast reads as one Parquet file")
    parser.add_argument("--symbols", type=int, default=200)
    parser.add_argument("--bars-per-symbol", type=int, default=4700)
    given = parser.parse_args()
    config = FeatureConfig()
    wanted = given.symbols, given.bars_per_symbol
    bars = read(given.bars, *wanted) if given.bars else simulated(*wanted)
    rows = sum(map(len, bars))
    print(f"{len(bars)} symbols, {rows:,} bars, the longest {max(map(len, bars)):,}")

    start = time.process_time()
    universe = build_universe(bars, config)
    universe_ms = 1e3 * (time.process_time() - start) / len(bars)
    plan, taken = all_columns(bars, config, universe)
    family_ms, family = slowest_family(plan, bars[0])
    print(f"universe table: {universe_ms:.2f} ms a symbol, {len(universe.dates):,} dates")
    print(
        f"{len(plan.names)} columns: {statistics.median(taken):.2f} ms a symbol (median), {max(taken):.2f} ms (slowest)"
    )

    sample = bars[:: max(1, len(bars) // 10)][:10]
    compared = sorted(set(pandas_reference(sample[0])) & set(feature_names(config)))
    part = plan_features(config, columns=compared)
    out = np.empty((max(map(len, sample)), len(compared)), np.float32)
    ours, theirs, worst = [], [], (0.0, "")
    for b in sample:
        ours.append(milliseconds(lambda b=b: part.compute(b, out[: len(b)])))
        theirs.append(milliseconds(lambda b=b: pandas_reference(b)))
        worst = max(worst, disagreement(b, compared, out[: len(b)]))
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(
        f"{len(compared)} columns also through pandas rolling/ewm: {statistics.median(ours):.2f} against "
        f"{statistics.median(theirs):.2f} ms, {ratio:.1f} times\n"
        f"  they differ by at most {worst[0]:.1e} standard deviations (in {worst[1]})"
    )
    if worst[0] > 1e-3:
        raise SystemExit(f"{worst[1]} differs from its pandas definition; the comparison is void.")

    panel, held, peak = weigh(bars, config, universe)
    needed = panel.features.size * 4
    print(
        f"panel {panel.features.shape}: {needed / 2**20:.0f} MiB of features, {held / needed:.3f} held, "
        f"{peak / needed:.3f} peak"
    )
    figures = {
        "symbols": len(bars),
        "bars": rows,
        "columns": len(plan.names),
        "ms_per_symbol": round(statistics.median(taken), 3),
        "slowest_family": family,
        "slowest_family_ms": round(family_ms, 3),
        "universe_ms_per_symbol": round(universe_ms, 3),
        "compared_columns": len(compared),
        "ratio_vs_pandas": round(ratio, 2),
        "largest_difference": worst[0],
        "panel_bytes_ratio": round(held / needed, 4),
        "peak_bytes_ratio": round(peak / needed, 4),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

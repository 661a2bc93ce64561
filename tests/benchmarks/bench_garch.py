"""How fast GARCH models are fitted, against ``arch``, and whether they are as likely and forecast as well.

``python tests/benchmarks/bench_garch.py [--bars BARS.parquet] [--symbols 60] [--bars-per-symbol 2500] [--kind GJR]
[--end 2014-12-31]``

Without bars, returns are simulated. Each symbol is fitted by us and by ``arch`` in turn, on the bars before its last
250; its variance one bar ahead is scored on those. Times are CPU milliseconds, best of ``--repeats``.

The last line is JSON: ``ms_per_symbol`` (mean), ``median_ms``, ``arch_ms`` (mean), ``ratio_to_arch`` (of the means),
``worst_log_likelihood_deficit`` (of ours to that of ``arch``, over symbols on which ``arch`` converges),
``above_arch`` (symbols on which ours is higher by over 0.001), ``by_arch`` (symbols that Newton's method left to
``arch``), ``failed``, ``qlike`` and ``qlike_arch``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.models.volatility.egarch import egarch_filter
from training.models.volatility.garch.by_arch import fit_with_arch
from training.models.volatility.garch.estimation import best_fit, estimate_garch
from training.models.volatility.garch.recursions import RECURSIONS, GarchType
from training.models.volatility.members.garch import garch_filter

Float = npt.NDArray[np.float64]

_TEST = 250


@dataclass(frozen=True, slots=True)
class Fit:
    """One symbol: milliseconds, log-likelihoods (NaN where a search failed) and mean QLIKE of ours and of ``arch``."""

    ms: float
    arch_ms: float
    deficit: float
    by_arch: bool
    qlike: float
    qlike_arch: float


def simulated(symbols: int, bars: int) -> list[Float]:
    """Return GJR-GARCH returns with Student's t shocks, of different dynamics."""
    rng = np.random.default_rng(0)
    out = []
    for _ in range(symbols):
        alpha, gamma, nu = rng.uniform(0.0, 0.1), rng.uniform(0.0, 0.15), rng.uniform(3.5, 15.0)
        beta = rng.uniform(0.9, 0.998) - alpha - gamma / 2
        omega, variance = 2e-4 * (1.0 - alpha - gamma / 2 - beta), 2e-4
        returns = np.empty(bars)
        for t, shock in enumerate(rng.standard_t(nu, bars) * np.sqrt((nu - 2.0) / nu)):
            returns[t] = np.sqrt(variance) * shock
            variance = omega + (alpha + gamma * (shock < 0)) * returns[t] ** 2 + beta * variance
        out.append(3e-4 + returns)
    return out


def read(path: str, symbols: int, bars: int, end: str | None = None) -> list[Float]:
    """Return log returns of the longest histories, each cut to its last bars before the day ``end``."""
    import pandas as pd

    from features import bars_from_frame

    found, _ = bars_from_frame(pd.read_parquet(path), place=path)
    if end is not None:
        found = [one.first(int(np.searchsorted(one.dates, np.datetime64(end)))) for one in found]
    longest = sorted((one for one in found if len(one) > bars), key=len, reverse=True)[:symbols]
    return [np.diff(np.log(one.close))[-bars:] for one in longest]


def milliseconds(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return the least CPU time of some runs, and what the work returns."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        taken.append(time.process_time() - start)
    return 1e3 * min(taken), result


def qlike(parameters: Float, returns: Float, kind: GarchType) -> float:
    """Return the mean QLIKE of the variance one bar ahead on the last bars, each known at the bar before."""
    variance = (egarch_filter if kind == "EGARCH" else garch_filter)(parameters, returns)[-_TEST - 1 : -1]
    ratio = np.maximum((returns[-_TEST:] - parameters[0]) ** 2, 1e-12) / variance
    return float(np.mean(ratio - np.log(ratio) - 1.0))


def measure(returns: Float, kind: GarchType, repeats: int) -> Fit:
    """Fit one symbol both ways."""
    train = returns[:-_TEST]
    standard, scale = train / train.std(), float(train.std())
    ms, parameters = milliseconds(lambda: estimate_garch(train, kind), repeats)
    arch_ms, arch = milliseconds(lambda: fit_with_arch(standard, kind), 1)
    found = best_fit(standard, RECURSIONS[kind])
    theirs = arch.parameters[:5].copy()
    theirs[:2] = theirs[0] * scale, RECURSIONS[kind].omega(theirs[1], theirs[4], scale)
    deficit = arch.value - found.value if arch.converged and found.converged else np.nan
    scores = qlike(parameters, returns, kind), qlike(theirs, returns, kind) if arch.converged else np.nan
    return Fit(ms, arch_ms, deficit, not found.converged, *scores)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", help="bars in any form that fleetcast reads as one Parquet file")
    parser.add_argument("--symbols", type=int, default=60)
    parser.add_argument("--bars-per-symbol", type=int, default=2500)
    parser.add_argument("--end", help="use bars before this day; by default all")
    parser.add_argument("--kind", choices=list(RECURSIONS), default="GJR")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    bars = given.bars_per_symbol + _TEST
    returns = read(given.bars, given.symbols, bars, given.end) if given.bars else simulated(given.symbols, bars)
    fits, failed = list[Fit](), 0
    for one in returns:
        try:
            fits.append(measure(one, given.kind, given.repeats))
        except ValueError:
            failed += 1
    column = {name: np.array([getattr(fit, name) for fit in fits], float) for name in Fit.__slots__}
    both = np.isfinite(column["qlike_arch"])
    ours, arch = column["ms"].mean(), column["arch_ms"].mean()
    print(f"{len(fits)} symbols of {given.bars_per_symbol:,} bars, {given.kind}: {ours:.2f} ms, arch {arch:.2f} ms")
    figures = {
        "kind": given.kind,
        "symbols": len(fits),
        "ms_per_symbol": round(ours, 3),
        "median_ms": round(float(np.median(column["ms"])), 3),
        "arch_ms": round(arch, 3),
        "ratio_to_arch": round(ours / arch, 4),
        "worst_log_likelihood_deficit": round(float(np.nanmax(column["deficit"])), 6),
        "above_arch": int((column["deficit"] < -1e-3).sum()),
        "by_arch": int(column["by_arch"].sum()),
        "failed": failed,
        "qlike": round(column["qlike"][both].mean(), 6),
        "qlike_arch": round(column["qlike_arch"][both].mean(), 6),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

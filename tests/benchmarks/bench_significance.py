"""Is a planted edge found with its Sharpe ratio, and is chance called chance? On simulated markets.

``python tests/benchmarks/bench_significance.py [--seeds 100] [--bars 600] [--right 0.54] [--models 5]``

A seed is a market without any pattern. With an edge, a model's forecasts are right with probability ``--right``;
without, five models guess, all are backtested, and the best of them is judged by the trial ledger of its store. The
last line is JSON:

``planted_sharpe, planted_sharpe_se, planted_true``
    Mean over seeds of the annual Sharpe ratio that was found, the standard error of that mean, and the true ratio.
``planted_covered``
    Share of seeds in which the true ratio is within 1.96 standard errors (block bootstrap) of the one that was found.
``planted_said``
    Seeds in which the sentence says that the edge is unlikely to be luck.
``no_edge_said``
    Seeds in which the sentence on the best of the guessing models says that it is not distinguishable from luck.
``no_edge_said_alone``
    The same if only the best one were known, without the others: its probabilistic Sharpe ratio is below 95 %.
``spa_false_positives``
    Seeds in which the test of superior predictive ability finds one of the guessing models, at 5 %.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from typing import NamedTuple

import numpy as np
from simulated_market import one_symbol, settings, true_sharpe

from training.backtest import Backtest
from training.registry.trials import TrialLedger
from training.validation.significance.judgement import judge
from training.validation.significance.sentence import CONFIDENCE
from training.validation.significance.superiority import superior_ability

_LUCK, _SKILL = "not distinguishable from luck", "unlikely to be luck"
_CHEAP = ("backtest.capitals=[1e6]",)


class Planted(NamedTuple):
    """What a backtest says of a planted edge: the ratio, its standard error, and whether it is called skill."""

    sharpe: float
    error: float
    is_called_skill: bool


class Guessed(NamedTuple):
    """Whether the best of some guessing models is called luck, with and without the ledger; the p-value of SPA."""

    is_called_luck: bool
    is_called_luck_alone: bool
    spa: float


def planted(seed: int, right: float, bars: int) -> Planted:
    """Backtest forecasts with an edge."""
    with tempfile.TemporaryDirectory() as store:
        found = Backtest(settings(*_CHEAP, "backtest.paths=500"), store).run(one_symbol(seed, right, bars))
    return Planted(found.sharpe_ratio, float(found.intervals.loc["sharpe", "se"]), _SKILL in found.sentence)


def guessed(seed: int, models: int, bars: int, simulations: int = 500) -> Guessed:
    """Backtest models that guess, and judge the best of them."""
    with tempfile.TemporaryDirectory() as store:
        backtest = Backtest(settings(*_CHEAP, "backtest.paths=10"), store)
        results = [backtest.run(one_symbol(seed, 0.5, bars, model=model)) for model in range(models)]
        best = max(results, key=lambda one: one.sharpe_ratio)
        # As the same backtest again would: now all trials are in the ledger.
        found = judge(best.returns.to_numpy(), best.bars_per_year, TrialLedger(backtest.store).tried())
    assert found.deflated.trials == models
    returns = np.column_stack([one.returns.to_numpy() for one in results])
    spa = superior_ability(returns[1:], simulations=simulations, seed=seed).consistent
    return Guessed(_LUCK in found.sentence, found.probabilistic < CONFIDENCE, spa)


def figures(seeds: int, right: float, models: int, bars: int) -> dict[str, float]:
    """Return what the last line says."""
    edges = [planted(seed, right, bars) for seed in range(seeds)]
    chances = [guessed(seed, models, bars) for seed in range(seeds)]
    sharpe, error = np.array([one.sharpe for one in edges]), np.array([one.error for one in edges])
    true = true_sharpe(right)
    return {
        "planted_sharpe": round(float(sharpe.mean()), 4),
        "planted_sharpe_se": round(float(sharpe.std(ddof=1) / np.sqrt(seeds)), 4),
        "planted_true": round(true, 4),
        "planted_covered": round(float((np.abs(sharpe - true) <= 1.96 * error).mean()), 4),
        "planted_said": sum(one.is_called_skill for one in edges),
        "no_edge_said": sum(one.is_called_luck for one in chances),
        "no_edge_said_alone": sum(one.is_called_luck_alone for one in chances),
        "spa_false_positives": sum(one.spa <= 0.05 for one in chances),
        "seeds": seeds,
        "models": models,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--bars", type=int, default=600)
    parser.add_argument("--right", type=float, default=0.54)
    parser.add_argument("--models", type=int, default=5)
    given = parser.parse_args()
    start = time.perf_counter()
    found = figures(given.seeds, given.right, given.models, given.bars)
    print(
        f"{given.seeds} markets of {given.bars} bars: a planted Sharpe of {found['planted_true']:.2f} is found as "
        f"{found['planted_sharpe']:.2f} ± {found['planted_sharpe_se']:.2f}; the best of {given.models} guessing models "
        f"is called luck in {found['no_edge_said']} (in {found['no_edge_said_alone']} without the ledger); SPA finds "
        f"one in {found['spa_false_positives']}"
    )
    print(json.dumps(found | {"seconds": round(time.perf_counter() - start, 1)}))


if __name__ == "__main__":
    main()

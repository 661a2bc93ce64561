"""The driver of a backtest: decide on out-of-sample forecasts, simulate, compare, and judge."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from configs.backtest import BacktestConfig
from configs.load import config_hash, config_or
from configs.schema import Config
from configs.strategy import StrategyConfig
from configs.words import counted
from features.store.store import Store, open_store
from training.backtesting.account_terms import BacktestTerms
from training.backtesting.comparisons import comparisons
from training.backtesting.economics import economic_value
from training.backtesting.followed import check_needs, follow
from training.backtesting.forecasts import OutOfSample
from training.backtesting.monte_carlo import monte_carlo
from training.backtesting.result import BacktestResult
from training.backtesting.sources import of_version, of_walk_forward
from training.registry.trials import Trial, TrialLedger
from training.registry.walk_forwards import LATEST
from training.strategy.catalog import choose
from training.strategy.decision_frames import Decisions
from training.strategy.strategy_look_ahead import check_past_only
from training.validation.backtest.capital_capacity import capacity_curve
from training.validation.backtest.simulation import Simulation
from training.validation.calibration_by_window import calibration_by_window
from training.validation.significance.bootstrap import bootstrap_metrics
from training.validation.significance.judgement import Judgement, judge


class Backtest:
    """A strategy on out-of-sample forecasts, in a simulated account.

    Parameters
    ----------
    config
        ``config.strategy`` and ``config.backtest`` are used; the settings of models are those of the forecasts.
    store
        A path or URI of the folder with forecasts and the trial ledger; by default ``FLEETCAST_STORE`` or
        ``.fleetcast``.
    """

    def __init__(self, config: Config | None = None, store: Store | str | os.PathLike[str] | None = None) -> None:
        self.config = config_or(config, "Backtest", "demo")
        self.store = open_store(store)

    def of_walk_forward(self, name: str = LATEST) -> BacktestResult:
        """Run on the forecasts of a walk-forward run, by default the newest."""
        return self.run(of_walk_forward(self.store, name))

    def of_version(self, version: str) -> BacktestResult:
        """Run on the test tables of a version, an alias or ``latest``, of each kind that has it."""
        return self.run(of_version(self.store, version))

    def run(self, found: OutOfSample) -> BacktestResult:
        """Run on these forecasts, and add the trial to the ledger.

        Raises
        ------
        ConfigError
            The strategy does not exist, a user's class raises or uses the future, or a setting does not fit.
        DataError
            The strategy needs forecasts that there are none of, or dates are asked for that no forecast covers.
        StoreError
            The ledger cannot be read or written.
        """
        # Other numbers of threads sum in other orders, and small products wait for them.
        with threadpool_limits(1):
            return self._run(found)

    def _run(self, found: OutOfSample) -> BacktestResult:
        strategy, part = self.config.strategy, self.config.backtest
        check_needs(found, strategy)
        terms, view, decisions, own = follow(found, strategy, part)
        if ":" in strategy.name:
            check_past_only(view, strategy, decisions=decisions)
        compared, missing = comparisons(own, found, view, strategy, terms)
        metrics = own.metrics(terms.bars_per_year)
        paths = max(part.paths, part.simulations)
        intervals = bootstrap_metrics(
            own.returns.to_numpy(),
            terms.bars_per_year,
            paths,
            confidence=part.confidence,
            seed=part.seed,
            metrics=own.return_metrics,
        )
        simulated = None
        if part.simulations:
            simulated = monte_carlo(own, found, view, decisions, strategy, terms, intervals)
        return BacktestResult(
            title=found.title,
            config=found.config.model_copy(update={"strategy": strategy, "backtest": part}),
            simulation=own,
            bars_per_year=terms.bars_per_year,
            metrics=metrics,
            intervals=intervals,
            compared=tuple(compared),
            missing=missing,
            why=decisions.why(terms.rows, terms.market.symbols),
            capacity=_capacity(decisions, terms),
            economic=economic_value(found, view, terms),
            judgement=self._judge(own, found, metrics["sharpe"], terms.bars_per_year),
            calibration=calibration_by_window(found.tables),
            simulated=simulated,
            notes=(*found.notes, *terms.notes, *self._removed_trials()),
            origin=found.origin,
        )

    def _removed_trials(self) -> Iterator[str]:
        if removed := TrialLedger(self.store).removed():
            yield f"removed by hand and not counted: {counted(len(removed), 'trial')}; see fleetcast models trials"

    def _judge(self, own: Simulation, found: OutOfSample, sharpe: float, bars_per_year: float) -> Judgement:
        ledger = TrialLedger(self.store)
        ledger.add(
            Trial(
                kind="backtest",
                name=f"{self.config.strategy.name} on {found.title}",
                identity=[found.identity(), *_identity(self.config.strategy, self.config.backtest)],
                sharpe=sharpe if np.isfinite(sharpe) else None,
            )
        )
        return judge(own.excess_returns.to_numpy(), bars_per_year, ledger.tried())


def _identity(strategy: StrategyConfig, part: BacktestConfig) -> list[Any]:
    """Return what makes a strategy another trial: its settings, the period, and the text of a user's class."""
    text = ""
    if ":" in strategy.name:
        text = config_hash(inspect.getsource(type(choose(strategy).strategy)))
    period = part.model_dump(mode="json", include={"start", "end", "fill"})
    return [strategy.model_dump(mode="json"), period, text]


def _capacity(decisions: Decisions, terms: BacktestTerms) -> pd.DataFrame:
    options: dict[str, Any] = {name: value for name, value in terms.options.items() if name != "cash"}
    options |= terms.levels(decisions)
    targets, part = terms.targets(decisions), terms.config
    return capacity_curve(terms.market, targets, terms.costs, part.capitals, terms.bars_per_year, **options)

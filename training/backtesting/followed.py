"""The account that follows a strategy on out-of-sample forecasts: what a backtest judges, and a replay must equal."""

from __future__ import annotations

from typing import NamedTuple

from configs.backtest import BacktestConfig
from configs.errors import DataError
from configs.strategy import StrategyConfig
from training.backtesting.account_terms import BacktestTerms, terms_of
from training.backtesting.forecasts import OutOfSample, backtest_view
from training.strategy.catalog import choose
from training.strategy.decision_frames import Decisions
from training.strategy.pipeline import decide
from training.strategy.view import ForecastView
from training.validation.backtest.simulation import Simulation


class Followed(NamedTuple):
    """The terms, what was known at each close, what was decided, and the account."""

    terms: BacktestTerms
    view: ForecastView
    decisions: Decisions
    account: Simulation


def follow(found: OutOfSample, strategy: StrategyConfig, config: BacktestConfig) -> Followed:
    """Return the account of these forecasts.

    Raises
    ------
    ConfigError
        The strategy does not exist, a user's class raises, or a setting does not fit.
    DataError
        The period has bars that no forecast covers.
    """
    terms = terms_of(found, config)
    view = backtest_view(found.tables, terms.history, found.config, terms.options["delisted"])
    decisions = decide(view, strategy, first=terms.first)
    return Followed(terms, view, decisions, terms.follow(decisions))


def check_needs(found: OutOfSample, strategy: StrategyConfig) -> None:
    """Raise ``DataError`` if the strategy needs forecasts of a kind that there are none of."""
    missing = sorted(choose(strategy).spec.needs - set(found.tables))
    if missing:
        raise DataError(
            f"strategy {strategy.name} needs forecasts of {' and '.join(missing)}, and {found.title} has "
            f"{' and '.join(found.tables)} only. Run fleetcast walk-forward --kinds direction,volatility, or choose "
            "another --strategy."
        )

"""Other accounts on the same bars and terms, which show what the model added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from configs.errors import ConfigError, shortened
from configs.strategy import StrategyConfig
from training.backtesting.account_terms import BacktestTerms
from training.backtesting.forecasts import OutOfSample, Tables, backtest_view, with_class_prior, with_ewma
from training.metrics.comparison import Comparison
from training.metrics.ratio import Array
from training.strategy.catalog import choose
from training.strategy.pipeline import decide
from training.strategy.view import ForecastView
from training.validation.backtest.market import Market, Mask
from training.validation.backtest.simulation import Simulation
from training.validation.paired import return_difference, sharpe_difference

_TARGET = "volatility_target"


@dataclass(frozen=True, eq=False)
class Compared:
    """Another account on the same bars.

    ``of_return`` and ``of_sharpe`` are the strategy's annualised mean return and Sharpe ratio less this one's, paired
    by bar. ``is_model_free`` marks the same strategy without one of its models.
    """

    name: str
    title: str
    simulation: Simulation
    of_return: Comparison
    of_sharpe: Comparison
    is_model_free: bool = False


def comparisons(
    own: Simulation, found: OutOfSample, view: ForecastView, strategy: StrategyConfig, terms: BacktestTerms
) -> tuple[list[Compared], dict[str, str]]:
    """Return the accounts that a strategy is compared with, and why others are missing, by title."""
    out, missing = [], dict[str, str]()
    for name, title, account in _passive(terms):
        out.append(_compared(own, name, title, account, terms, found.horizon))
    target = strategy if strategy.name == _TARGET else _volatility_target(strategy)
    ewma = with_ewma(found.tables, view)
    needs = choose(strategy).spec.needs
    free: list[tuple[str, str, Tables | None, StrategyConfig]] = [
        ("volatility_target_ewma", "volatility target, EWMA", ewma, target)
    ]
    if "volatility" in needs and strategy.name != _TARGET:
        free.append(("strategy_ewma", "same with EWMA volatility", ewma, strategy))
    if "direction" in needs:
        free.append(("strategy_prior", "same with class prior", with_class_prior(found.tables), strategy))
    for name, title, tables, settings in free:
        if tables is None:
            missing[title] = f"{found.title} has no forecasts of the class prior. Run it again with this release."
            continue
        decisions = decide(
            backtest_view(tables, terms.history, found.config, terms.options["delisted"]), settings, first=terms.first
        )
        account = terms.follow(decisions)
        out.append(_compared(own, name, title, account, terms, found.horizon, settings.name == strategy.name))
    return out, missing


def _volatility_target(strategy: StrategyConfig) -> StrategyConfig:
    """Return the settings of a volatility target of the same size and with the same limits."""
    size = strategy.size.model_copy(update={"method": None, "risk_per_trade": None})
    return StrategyConfig(name=_TARGET, size=size, caps=strategy.caps)


def _passive(terms: BacktestTerms) -> Iterator[tuple[str, str, Simulation]]:
    """Yield buy and hold, and equal weights that are restored each month.

    Both hold the symbols that trade at the time. One without a bar that day, such as a stock on a Saturday, is bought
    in its next bar. They borrow nothing, even if prices rise before the fill or what ended cannot be sold.
    """
    market, symbol = terms.market, terms.config.benchmark
    most = min(terms.config.max_leverage or 1.0, 1.0)
    if symbol is not None and symbol not in market.symbols:
        raise ConfigError(
            f"backtest.benchmark {symbol!r} has no bars here; expected one of {shortened(list(market.symbols))}."
        )
    trades = terms.trades()
    wanted = trades[0] if symbol is None else np.array([symbol == name for name in market.symbols])
    title = "buy and hold" if symbol is None else f"buy and hold {symbol}"
    yield "buy_and_hold", title, terms.run(_frame(_from_first_bar({0: wanted}, market), terms), max_leverage=most)
    month = market.dates.astype("datetime64[M]")
    starts = np.flatnonzero(np.concatenate([[True], month[1:] != month[:-1]]))
    equal = _from_first_bar({int(row): trades[row] for row in starts}, market)
    yield "equal_weight", "equal weight, monthly", terms.run(_frame(equal, terms), max_leverage=most)


def _from_first_bar(wanted: Mapping[int, Mask], market: Market) -> Array:
    """Return equal weights (T, S) of the symbols that are wanted on some rows, each decided once it has had a bar."""
    out = np.full(market.shape, np.nan)
    for row, chosen in wanted.items():
        at = np.maximum(row, market.first_bar)
        columns = np.flatnonzero((at == row) | chosen)
        out[at[columns], columns] = chosen[columns] / max(chosen.sum(), 1)
    return out


def _frame(weights: Array, terms: BacktestTerms) -> pd.DataFrame:
    return pd.DataFrame(weights, index=pd.DatetimeIndex(terms.market.dates), columns=list(terms.market.symbols))


def _compared(
    own: Simulation, name: str, title: str, other: Simulation, terms: BacktestTerms, horizon: int, is_free: bool = False
) -> Compared:
    returns, theirs = own.excess_returns.to_numpy(), other.excess_returns.to_numpy()
    return Compared(
        name,
        title,
        other,
        return_difference(returns, theirs, terms.bars_per_year, horizon - 1),
        sharpe_difference(returns, theirs, terms.bars_per_year, horizon - 1),
        is_free,
    )

"""The same backtest with noise on its prices, or with other costs and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import ValidationError

from configs.strategy import StrategyConfig
from features.bars.schema import SymbolBars
from training.backtesting.account_terms import BacktestTerms
from training.backtesting.forecasts import OutOfSample, backtest_view
from training.metrics.ratio import Array
from training.strategy.pipeline import decide
from training.strategy.view import ForecastView
from training.validation.backtest.cost_settings import scaled
from training.validation.backtest.simulation import Simulation

METRICS = ("sharpe", "total_return", "max_drawdown")

_SIZED = ("volatility_target", "kelly_fraction")
_CAPPED = ("name", "group", "gross", "net", "volatility", "no_trade_band")


@dataclass(frozen=True)
class Noise:
    """What simulations on noisy prices read."""

    found: OutOfSample
    strategy: StrategyConfig
    terms: BacktestTerms


@dataclass(frozen=True)
class Perturbation:
    """What simulations with other costs and settings read."""

    view: ForecastView
    strategy: StrategyConfig
    terms: BacktestTerms


def with_noise(inputs: Noise, numbers: Sequence[int]) -> Array:
    """Return ``METRICS`` (n, 3) of accounts on noisy prices, which reach features, forecasts and fills."""
    found, terms = inputs.found, inputs.terms

    def simulate(number: int) -> Simulation:
        bars = noisy_bars(found.bars, terms.config.price_noise, np.random.default_rng([terms.config.seed, 1, number]))
        other = terms.on(found.market(bars))
        view = backtest_view(found.reforecast(bars), other.history, found.config, other.options["delisted"])
        return other.follow(decide(view, inputs.strategy, first=other.first))

    return _metrics(map(simulate, numbers), terms)


def with_other_settings(inputs: Perturbation, numbers: Sequence[int]) -> Array:
    """Return ``METRICS`` (n, 3) of accounts with other costs, sizes, limits and parameters."""
    terms, most = inputs.terms, inputs.terms.config.perturbation

    def simulate(number: int) -> Simulation:
        rng = np.random.default_rng([terms.config.seed, 2, number])
        settings = perturbed(inputs.strategy, lambda: float(rng.uniform(1.0 - most, 1.0 + most)))
        costs = scaled(terms.costs, float(rng.uniform(1.0 - most, 1.0 + most)))
        return terms.follow(decide(inputs.view, settings, first=terms.first), costs)

    return _metrics(map(simulate, numbers), terms)


def noisy_bars(bars: Iterable[SymbolBars], share: float, rng: np.random.Generator) -> list[SymbolBars]:
    """Return bars whose four prices are multiplied by the same exp(ε), so that each bar stays valid.

    ε is normal with ``share`` times the standard deviation of the symbol's log returns, independent between bars.
    """
    out = []
    for one in bars:
        sigma = float(np.std(np.diff(np.log(one.close)))) if len(one) > 1 else 0.0
        factor = np.exp(share * sigma * rng.standard_normal(len(one)))
        prices = {name: getattr(one, name) * factor for name in ("open", "high", "low", "close")}
        out.append(replace(one, **prices))
    return out


def perturbed(strategy: StrategyConfig, factor: Callable[[], float]) -> StrategyConfig:
    """Return settings whose sizes, limits, cost of the filter and numeric parameters are each multiplied by a factor.

    Values that leave their bounds keep the old one; whole numbers stay whole.
    """
    values = strategy.model_dump()
    places = [(values["size"], name) for name in _SIZED] + [(values["caps"], name) for name in _CAPPED]
    places += [(values["filter"], "cost_bps")] + [(values["parameters"], name) for name in strategy.parameters]
    for section, name in places:
        before = section[name]
        if isinstance(before, bool) or not isinstance(before, int | float):
            continue
        section[name] = type(before)(round(before * factor()) if isinstance(before, int) else before * factor())
        try:
            StrategyConfig.model_validate(values)
        except ValidationError:
            section[name] = before
    return StrategyConfig.model_validate(values)


def _metrics(accounts: Iterable[Simulation], terms: BacktestTerms) -> Array:
    """Return ``METRICS`` (n, 3) of simulated accounts, of which one is in memory at a time."""
    found = (account.metrics(terms.bars_per_year) for account in accounts)
    return np.array([[one[name] for name in METRICS] for one in found], np.float64).reshape(-1, len(METRICS))

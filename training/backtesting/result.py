"""The result of a backtest: the account, what it is compared with, and whether it could be luck."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from configs.schema import Config
from configs.words import counted
from training.backtesting.comparisons import Compared
from training.backtesting.economics import EconomicValue
from training.backtesting.monte_carlo import MonteCarlo
from training.backtesting.origin import Origin
from training.metrics.comparison import Comparison
from training.validation.backtest.simulation import Simulation
from training.validation.significance.judgement import Judgement


@dataclass(frozen=True, eq=False, repr=False)
class BacktestResult:
    """A strategy on out-of-sample forecasts. Every ratio is annualised with ``bars_per_year``, from the data.

    Attributes
    ----------
    title
        Where the forecasts come from.
    config
        The settings of the models, of the strategy and of the backtest.
    simulation
        The account: ``equity``, ``returns``, ``orders``, ``positions``, costs and profit by symbol.
    intervals
        One row a metric of returns: ``estimate``, ``low``, ``high``, ``se`` by stationary block bootstrap.
    compared, missing
        Other accounts on the same bars, and why some are missing.
    why
        How many positions are not 0, and the reasons of the others.
    capacity
        One row an amount of money: ``sharpe``, ``cagr``, ``costs`` as a share of gross profit, ``filled``.
    economic
        What the volatility forecasts are worth to an investor; None without any.
    judgement
        Probabilistic and deflated Sharpe ratio, with the number of trials.
    calibration
        One row a kind and window; see :func:`~training.validation.calibration_by_window.calibration_by_window`.
    simulated
        Monte Carlo; None where none was asked for.
    notes
        Sentences for the reader.
    origin
        Names, hashes and scores by window of what made the forecasts.
    """

    title: str
    config: Config
    simulation: Simulation
    bars_per_year: float
    metrics: Mapping[str, float]
    intervals: pd.DataFrame
    compared: tuple[Compared, ...]
    missing: Mapping[str, str]
    why: Mapping[str, int]
    capacity: pd.DataFrame
    economic: EconomicValue | None
    judgement: Judgement
    calibration: pd.DataFrame
    simulated: MonteCarlo | None = None
    notes: tuple[str, ...] = field(default=())
    origin: Origin = field(default_factory=Origin)

    @property
    def total_return(self) -> float:
        """Return of the whole period."""
        return self.metrics["total_return"]

    @property
    def annual_return(self) -> float:
        """Compound annual growth rate."""
        return self.metrics["cagr"]

    @property
    def volatility(self) -> float:
        """Annualised standard deviation of returns."""
        return self.metrics["volatility"]

    @property
    def sharpe_ratio(self) -> float:
        """Annualised Sharpe ratio of returns less interest on cash; NaN without variation."""
        return self.metrics["sharpe"]

    @property
    def sortino_ratio(self) -> float:
        """Annualised Sortino ratio; NaN without a loss."""
        return self.metrics["sortino"]

    @property
    def calmar_ratio(self) -> float:
        """Annual growth over the largest drawdown; NaN without one."""
        return self.metrics["calmar"]

    @property
    def max_drawdown(self) -> float:
        """Largest loss from a high, ≤ 0."""
        return self.metrics["max_drawdown"]

    @property
    def win_rate(self) -> float:
        """Share of bars with a gain among those with a gain or a loss."""
        return self.metrics["hit_rate"]

    @property
    def num_trades(self) -> int:
        """Number of filled orders."""
        return int(self.metrics["orders"])

    @property
    def equity(self) -> pd.Series:
        """Equity at each close."""
        return self.simulation.equity

    @property
    def returns(self) -> pd.Series:
        """Simple returns of equity."""
        return self.simulation.returns

    @property
    def sentence(self) -> str:
        """Whether this could be luck, in plain words."""
        return self.judgement.sentence

    def equities(self) -> pd.DataFrame:
        """Return the equity of the strategy and of all that it is compared with, dates × accounts."""
        others = {one.title: one.simulation.equity for one in self.compared}
        return pd.DataFrame({"strategy": self.equity, **others})

    def metrics_of(self, simulation: Simulation) -> dict[str, float]:
        """Return every metric of one of the accounts."""
        return simulation.metrics(self.bars_per_year)

    def to_html(self) -> str:
        """Return the tear sheet: one page with charts and tables that needs no network."""
        from training.backtesting.report import render

        return render(self)

    def to_json(self) -> dict[str, Any]:
        """Return all figures without series as one JSON document; what is unknown is null."""
        dates = self.simulation.dates
        found: dict[str, Any] = {
            "forecasts": self.title,
            "strategy": self.config.strategy.model_dump(mode="json"),
            "backtest": self.config.backtest.model_dump(mode="json"),
            "first": str(dates[0]),
            "last": str(dates[-1]),
            "bars": len(dates),
            "bars_per_year": self.bars_per_year,
            "symbols": list(self.simulation.market.symbols),
            "metrics": dict(self.metrics),
            "intervals": self.intervals.to_dict(orient="index"),
            "comparisons": {
                one.name: {
                    "title": one.title,
                    "metrics": self.metrics_of(one.simulation),
                    "return_difference": one.of_return._asdict(),
                    "sharpe_difference": one.of_sharpe._asdict(),
                }
                for one in self.compared
            },
            "missing": dict(self.missing),
            "costs": self.simulation.costs.to_dict(),
            "costs_by_symbol": self.simulation.costs_by_symbol.to_dict(orient="index"),
            "profit_by_symbol": self.simulation.profit_by_symbol.to_dict(),
            "why": dict(self.why),
            "capacity": self.capacity.reset_index().to_dict(orient="records"),
            "economic_value": None if self.economic is None else self.economic.to_json(),
            "significance": self.judgement.to_json(),
            "calibration": self.calibration.astype({"first": str, "last": str}).to_dict(orient="records"),
            "simulations": None if self.simulated is None else self.simulated.to_json(),
            "notes": [*self.notes, *self.simulation.notes],
        }
        clean: dict[str, Any] = known(found)
        return clean

    def __repr__(self) -> str:
        """Return the strategy, its period, its most important figures, and the sentence on significance."""
        dates = self.simulation.dates
        return (
            f"{self.config.strategy.name} on {self.title}, {dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d} "
            f"({counted(self.num_trades, 'order')}): return {self.total_return:.2%}, Sharpe {self.sharpe_ratio:.2f}, "
            f"largest drawdown {self.max_drawdown:.2%}; {self.sentence}"
        )


def known(value: Any) -> Any:
    """Return a value as JSON has it: NaN and infinity become None, numpy's numbers Python's."""
    if isinstance(value, Comparison):
        return known(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): known(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [known(one) for one in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value.item() if hasattr(value, "item") else value

"""Markets, forecasts and settings of a bot whose steps are compared with a backtest."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.backtest import BacktestConfig
from configs.bot import BotConfig, DelistingConfig
from configs.schema import Config
from configs.strategy import StrategyConfig
from features.bars.period import bar_period
from serving.bot.record import Record
from serving.bot.state import BotState
from serving.bot.step import open_state, step
from serving.bot.step_result import StepResult
from training.strategy.pipeline import decide
from training.strategy.view_builder import read_view
from training.validation.backtest.cost_settings import costs_of
from training.validation.backtest.market import Market
from training.validation.backtest.recent import rows_of
from training.validation.backtest.simulate import simulate
from training.validation.backtest.simulation import Simulation

DAYS, FIRST = 140, 95
COSTS = {"preset": "us_equities", "commission_bps": 1.0, "funding_bps_per_bar": 0.2, "cash_interest_bps_per_bar": 0.1}


def market_of(seed: int, *, symbols: int = 5, days: int = DAYS, dividends: bool = True) -> Market:
    """Return daily bars: gaps over night, halts, zero volume, a delisting, and one symbol that trades every day."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2020-01-01", periods=days).to_numpy().astype("datetime64[ns]")
    shock = 0.02 * (0.5 * rng.standard_normal((days, 1)) + rng.standard_normal((days, symbols)))
    close = rng.uniform(10, 300, symbols) * np.exp(np.cumsum(shock, axis=0))
    open_ = close * np.exp(rng.choice([0.004, 0.05], close.shape, p=[0.9, 0.1]) * rng.standard_normal(close.shape))
    high = np.maximum(open_, close) * np.exp(0.01 * rng.random(close.shape))
    low = np.minimum(open_, close) * np.exp(-0.01 * rng.random(close.shape))
    none = rng.random(close.shape) < 0.03
    weekend = pd.DatetimeIndex(dates).day_of_week >= 5
    none[weekend, 1:] = True  # the first trades around the clock
    none[:, 0] = False
    none[100:112, 1] = True
    none[125:, -1] = True
    volume = np.where(none | (rng.random(close.shape) < 0.03), 0.0, rng.uniform(50.0, 5e5, symbols))
    prices = [np.where(none, np.nan, one) for one in (open_, high, low, close)]
    paid = np.where(~none & (rng.random(close.shape) < 0.02), 0.01 * close, 0.0) if dividends else None
    return Market(dates, tuple(f"S{i}" for i in range(symbols)), *prices, volume, paid)


def tables_of(market: Market, seed: int, first: int = 70) -> dict[str, pd.DataFrame]:
    """Return forecasts from row ``first`` on, a part of which is missing; those of direction are right too often."""
    rng = np.random.default_rng(seed + 1)
    rows, columns = np.nonzero(market.has_bar & (np.arange(len(market.dates)) >= first)[:, None])
    kept = rng.random(len(rows)) > 0.05
    rows, columns = rows[kept], columns[kept]
    ahead = np.sign(market.mark[np.minimum(rows + 1, len(market.dates) - 1), columns] - market.mark[rows, columns])
    p = rng.dirichlet([30.0, 30.0, 30.0], size=len(rows))
    p[:, 2] += 0.15 * ahead
    p[:, 0] -= 0.15 * ahead
    p = np.clip(p, 0.01, None)
    p /= p.sum(axis=1, keepdims=True)
    keys = {"symbol": [market.symbols[c] for c in columns], "date": market.dates[rows]}
    variance = 4e-4 * np.exp(0.4 * rng.standard_normal(len(rows)))
    return {
        "direction": pd.DataFrame({**keys, "p_down": p[:, 0], "p_sideways": p[:, 1], "p_up": p[:, 2]}),
        "volatility": pd.DataFrame({**keys, "forecast": variance, "low": variance / 3, "high": variance * 2}),
    }


def config_of(
    strategy: str = "volatility_target", *, stops: bool = False, max_age: int = 0, backtest: Any = None, bot: Any = None
) -> Config:
    """Return settings under which positions are taken and changed often."""
    levels = {"touch_probability": 0.3, "profit_probability": 0.4, "bars": 3, "wait": 2} if stops else {}
    return Config(
        strategy=StrategyConfig(
            name=strategy,
            filter={"level": 0.5, "min_days": 10, "cost_bps": 0.1},
            caps={"name": 0.4, "volatility": None, "no_trade_band": 0.2},
            max_age=max_age,
            stops=levels,
        ),
        backtest=BacktestConfig(**({"costs": COSTS, "cash": 50_000.0} | (backtest or {}))),
        bot=BotConfig(**(bot or {})),
    )


def close_of(date: np.datetime64) -> datetime:
    """Return the end of the day of a date."""
    return date.astype("datetime64[us]").item().replace(tzinfo=UTC) + timedelta(days=1)


def until(market: Market, row: int) -> Market:
    """Return the bars up to a row."""
    return rows_of(market, 0, row + 1)


@dataclass
class Bot:
    """Steps through a market from row ``first`` on, with the forecasts of each date added when it is there."""

    market: Market
    tables: dict[str, pd.DataFrame]
    config: Config
    first: int = FIRST
    bars_per_year: float | None = 365.0
    state: BotState | None = None
    record: Record | None = None

    @property
    def own_years(self) -> dict[str, float]:
        """Bars a year of each symbol: one trades around the clock, the others on weekdays."""
        market = self.market
        return {
            name: bar_period(market.dates[market.has_bar[:, s]]).bars_per_year for s, name in enumerate(market.symbols)
        }

    def run(self, stop: int | None = None, start: int | None = None, **options: Any) -> list[StepResult]:
        """Return the results of the steps of rows until ``stop``."""
        return [
            self.step(row, **options)
            for row in range(self.first if start is None else start, len(self.market.dates) if stop is None else stop)
        ]

    def step(self, row: int, bars: Market | None = None, **options: Any) -> StepResult:
        """Make one step."""
        bars = until(self.market, row) if bars is None else bars
        date = self.market.dates[row]
        if self.record is None:
            self.record = Record(self.config)
            self._add(lambda dates: dates <= date)
        else:
            self._add(lambda dates: dates == date)
        if self.state is None:
            self.state = open_state("paper", bars, self.config, bars_per_year=self.bars_per_year, own=self.own_years)
        result = step(self.state, bars, self.record, self.config, close_of(bars.dates[-1]), **options)
        self.state = result.state
        return result

    def _add(self, wanted: Callable[[Any], Any]) -> None:
        for kind, table in self.tables.items():
            self.record.add(kind, table[wanted(table["date"].to_numpy())])


def backtest_of(bot: Bot) -> Simulation:
    """Return the account of a backtest of the same rows."""
    market, config = bot.market, bot.config
    tables = bot.tables["direction"], bot.tables["volatility"]
    view = read_view(market, *tables, label=config.direction.label, delisted=config.bot.delisted)
    decisions = decide(view, config.strategy, first=bot.first)
    part = Market(
        market.dates[bot.first :],
        market.symbols,
        *(getattr(market, name)[bot.first :] for name in ("open", "high", "low", "close", "volume")),
        None if market.dividends is None else market.dividends[bot.first :],
    )
    found = {"stops": decisions.stop_levels(), "take_profits": decisions.take_profit_levels()}
    return simulate(
        part,
        decisions.targets(),
        costs_of(config.backtest.costs, bot.bars_per_year, market.symbols, bot.own_years),
        unit="weight",
        cash=config.backtest.cash,
        fill=config.backtest.fill,
        max_leverage=config.backtest.max_leverage,
        delisted={name: end.value for name, end in config.bot.delisted.items()},
        **{name: frame for name, frame in found.items() if frame.notna().to_numpy().any()},
    )


def delisting(market: Market, symbol: str, value: float) -> dict[str, DelistingConfig]:
    """Return the delisting of a symbol on the day after its last bar."""
    last = market.last_bar[market.symbols.index(symbol)]
    return {symbol: DelistingConfig(day=market.dates[last + 1].astype("datetime64[D]").item(), value=value)}


@pytest.fixture(scope="session")
def backtest() -> Callable[[Bot], Simulation]:
    """Return the function that makes the account of a backtest of a bot's rows."""
    return backtest_of


@pytest.fixture(scope="session")
def bot_of() -> Callable[..., Bot]:
    """Return a function that makes a bot on a random market."""

    def make(seed: int = 0, strategy: str = "volatility_target", **options: Any) -> Bot:
        market = market_of(seed)
        settings = dict(options)
        settings["bot"] = {"delisted": delisting(market, "S4", -0.4), **settings.get("bot", {})}
        return Bot(market, tables_of(market, seed), config_of(strategy, **settings))

    return make

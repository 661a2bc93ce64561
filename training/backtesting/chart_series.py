"""Series of an account for charts: drawdowns, months, rolling risk, exposure, turnover, and costs through time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.metrics.money import drawdowns
from training.validation.backtest.simulation import Simulation
from training.validation.significance.bootstrap import bootstrap_paths


def quarter(bars_per_year: float) -> int:
    """Return the bars of a quarter of a year, at least 5, over which rolling risk is measured."""
    return max(round(bars_per_year / 4.0), 5)


def drawdown(simulation: Simulation) -> pd.Series:
    """Return the loss from the highest equity so far at each close (T,), ≤ 0; starting cash counts."""
    returns = np.concatenate([[0.0], simulation.returns.fillna(0.0).to_numpy()])
    return pd.Series(drawdowns(returns), index=simulation.dates, name="drawdown")


def monthly_returns(simulation: Simulation) -> pd.Series:
    """Return the simple return of each calendar month, the first and last of which may be short; NaN after ruin."""
    month = simulation.dates.to_period("M")
    last = simulation.equity.groupby(month).last()
    before = last.shift(1)
    before.iloc[0] = simulation.starting_cash
    return (last / before.where(before > 0) - 1.0).rename("return")


def rolling_risk(simulation: Simulation, bars_per_year: float) -> pd.DataFrame:
    """Return annualised ``volatility`` and ``sharpe`` over the past quarter of a year at each close."""
    rolling = simulation.excess_returns.rolling(quarter(bars_per_year))
    sd = rolling.std()
    volatility = sd * np.sqrt(bars_per_year)
    return pd.DataFrame(
        {"volatility": volatility, "sharpe": rolling.mean() / sd.where(sd > 0) * np.sqrt(bars_per_year)}
    )


def exposure(simulation: Simulation) -> pd.DataFrame:
    """Return ``gross`` and ``net`` exposure as shares of equity, and ``turnover`` of the bar, at each close."""
    book = simulation.ledger
    equity = np.where(book.equity > 0, book.equity, np.nan)
    shares = {name: getattr(book, column) / equity for name, column in _EXPOSURE}
    return pd.DataFrame(shares, index=simulation.dates)


_EXPOSURE = (("gross", "gross"), ("net", "net"), ("turnover", "traded"))


def costs_by_time(simulation: Simulation) -> pd.DataFrame:
    """Return the costs of each bar by kind, in money of the account."""
    fills, book, bars = simulation.fills, simulation.ledger, len(simulation.dates)
    names = list(simulation.costs.index)
    of_orders = [np.bincount(fills.row, weights=one, minlength=bars) for one in book.charges]
    columns = [*of_orders, book.borrow, book.funding, book.interest]
    return pd.DataFrame(dict(zip(names, columns, strict=True)), index=simulation.dates)


def equity_band(simulation: Simulation, confidence: float, paths: int, seed: int) -> pd.DataFrame:
    """Return ``low`` and ``high`` equity at each close between which a share of bootstrap histories is.

    Histories are made of blocks of the account's own returns, so the band shows how far chance alone could have taken
    an account with these returns. NaN after ruin.
    """
    returns, bars = simulation.returns.dropna().to_numpy(), len(simulation.dates)
    band = np.full((bars, 2), np.nan)
    band[0] = simulation.equity.iloc[0]
    rows = np.unique(np.linspace(0, len(returns) - 1, min(_BAND_ROWS, len(returns))).astype(int))
    batches = bootstrap_paths(returns, paths, seed=seed)
    growth = np.concatenate([np.cumprod(1.0 + batch, axis=1)[:, rows] for batch in batches])
    tails = [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0]
    band[rows + 1] = band[0, 0] * np.quantile(growth, tails, axis=0).T
    return pd.DataFrame(band, index=simulation.dates, columns=["low", "high"]).interpolate(limit_area="inside")


_BAND_ROWS = 300

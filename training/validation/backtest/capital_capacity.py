"""How much capital a strategy can carry before its own trading uses up its profit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from configs.errors import ConfigError
from features.any_bars import AnyBars
from training.validation.backtest.costs import Costs
from training.validation.backtest.market import Market
from training.validation.backtest.read_market import read_market
from training.validation.backtest.simulate import simulate


def capacity_curve(
    bars: AnyBars | Market,
    targets: pd.DataFrame | pd.Series,
    costs: Costs,
    capitals: Sequence[float],
    bars_per_year: float,
    *,
    unit: Literal["shares", "weight"] = "weight",
    cash: float = 10_000.0,
    **options: Any,
) -> pd.DataFrame:
    """Return what the same strategy earns at each capital.

    Only costs that grow faster than the order make a difference: impact, a cap of participation, whole lots, and least
    commissions at the other end.

    Parameters
    ----------
    capitals
        Starting cash of each simulation.
    cash
        The capital for which targets in shares are meant; they are scaled to the others.
    options
        As for :func:`~training.validation.backtest.simulate.simulate`.

    Returns
    -------
    pandas.DataFrame
        One row a capital: ``sharpe``, ``cagr``, ``costs`` as a share of gross profit, and ``filled``, the value of
        fills over that of requests.

    Raises
    ------
    ConfigError
        No capital is given, or one is not above 0.
    """
    if not len(capitals):
        raise ConfigError("capitals is empty; expected amounts such as [1e5, 1e6, 1e7].")
    symbol = options.pop("symbol", None)
    if isinstance(bars, pd.DataFrame) and isinstance(targets, pd.Series) and symbol is None:
        symbol = str(targets.name) if targets.name is not None else None
    market = read_market(bars, symbol, adjusted=options.pop("adjusted", None))
    rows = []
    for capital in capitals:
        scaled = targets if unit == "weight" else targets * (capital / cash)
        result = simulate(market, scaled, costs, cash=capital, unit=unit, symbol=symbol, **options)
        values = result.metrics(bars_per_year)
        asked = np.abs(result.fills.requested * result.fills.reference).sum()
        filled = np.abs(result.fills.quantity * result.fills.reference).sum()
        gross = values["gross_profit"]
        rows.append(
            {
                "sharpe": values["sharpe"],
                "cagr": values["cagr"],
                "costs": values["costs"] / gross if gross > 0 else np.nan,
                "filled": filled / asked if asked > 0 else np.nan,
            }
        )
    return pd.DataFrame(rows, index=pd.Index([float(c) for c in capitals], name="capital"))

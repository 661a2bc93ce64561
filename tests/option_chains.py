"""Option chains with known answers: prices of Black's formula and of a binomial tree, as rows of a user's file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtr


def black_price(is_call, forward, strike, years, volatility, discount):
    """Return prices of European options on a forward."""
    total = volatility * np.sqrt(years)
    d1 = np.log(forward / strike) / total + 0.5 * total
    sign = np.where(is_call, 1.0, -1.0)
    return discount * sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - total)))


def american_price(is_call, spot, strike, years, volatility, rate, dividend_yield, steps=200):
    """Return prices of American options by the tree of Cox, Ross and Rubinstein; arrays (N,) of one expiry."""
    step = years / steps
    up = np.exp(volatility * np.sqrt(step))[:, None]
    chance = (np.exp((rate - dividend_yield) * step) - 1.0 / up) / (up - 1.0 / up)
    sign = np.where(is_call, 1.0, -1.0)[:, None]

    def exercise(count: int) -> np.ndarray:
        return sign * (spot * up ** (2.0 * np.arange(count + 1) - count) - strike[:, None])

    values = np.maximum(exercise(steps), 0.0)
    for count in range(steps - 1, -1, -1):
        values = np.exp(-rate * step) * (chance * values[:, 1:] + (1.0 - chance) * values[:, :-1])
        values = np.maximum(values, exercise(count))
    return values[:, 0]


def chain_of(
    quoted_at: str = "2024-04-05T16:00-04:00",
    days: Sequence[int] = (14, 28, 49, 77, 112),
    strikes: Sequence[float] = tuple(np.arange(60.0, 141.0, 2.5)),
    volatility: float | Callable[[np.ndarray, np.ndarray], np.ndarray] = 0.25,
    *,
    symbol: str = "ABC",
    spot: float = 100.0,
    rate: float = 0.04,
    dividend_yield: float = 0.01,
    half_spread: float = 0.0,
    american: bool = False,
    **columns: object,
) -> pd.DataFrame:
    """Return the chain of one moment; ``volatility`` is a number, or a function of ln(K/F) and years.

    Expiries are at the close ``days`` after the quotes, and half spreads a share of the price.
    """
    at = pd.Timestamp(quoted_at)
    expiry = np.repeat([(at + pd.Timedelta(days=int(day))).date() for day in days], 2 * len(strikes))
    closes = [pd.Timestamp(f"{day} 16:00", tz="America/New_York") for day in expiry]
    years = np.array([(close - at) / pd.Timedelta(days=365) for close in closes])
    strike = np.tile(np.repeat(np.asarray(strikes, float), 2), len(days))
    is_call = np.tile([True, False], len(days) * len(strikes))
    forward, discount = spot * np.exp((rate - dividend_yield) * years), np.exp(-rate * years)
    vol = volatility(np.log(strike / forward), years) if callable(volatility) else np.full(len(years), volatility)
    if american:
        price = np.empty(len(years))
        for one in np.unique(years):
            rows = years == one
            price[rows] = american_price(is_call[rows], spot, strike[rows], one, vol[rows], rate, dividend_yield)
    else:
        price = black_price(is_call, forward, strike, years, vol, discount)
    half = half_spread * price
    right = np.where(is_call, "call", "put")
    known = {"symbol": symbol, "quoted_at": quoted_at, "expiry": [str(day) for day in expiry], "strike": strike}
    return pd.DataFrame(known | {"right": right, "bid": price - half, "ask": price + half} | columns)

"""What trading and holding cost, and the terms on which a market trades."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias, Union

import numpy as np
import pandas as pd

from configs.errors import ConfigError

Rate: TypeAlias = Union[float, Mapping[str, float], "pd.Series", "pd.DataFrame"]
"""A number for all symbols, one by symbol (mapping), by date (series), or by date and symbol (frame)."""

CORWIN_SCHULTZ = "corwin_schultz"
_SIGNED = {"funding_bps_per_bar", "cash_interest_bps_per_bar"}
_BPS_OF_PRICE = {
    "half_spread_bps",
    "slippage_bps",
    "commission_bps",
    "borrow_bps_per_bar",
    "margin_interest_bps_per_bar",
}


@dataclass(frozen=True, eq=False)
class Costs:
    """Costs of orders and of positions; without arguments, none. A basis point (bps) is 1/10,000.

    A figure is a number, a mapping by symbol, or, where it may vary in time, a series by date or a frame by date and
    symbol; of these, each bar uses the newest figure of its date or before. "Per bar" counts the bars of the symbol;
    for cash, the instants of the calendar. Amounts of money are in the account's currency.

    Raises
    ------
    ConfigError
        A figure is negative where that makes no sense, NaN, infinite, or so large that a sale would bring nothing.

    Examples
    --------
    >>> Costs(half_spread_bps=5, commission_bps=10).commission_bps
    10
    """

    half_spread_bps: Rate | Literal["corwin_schultz"] = 0.0
    """Half of the quoted spread, of the price: paid on each side. ``corwin_schultz`` estimates it from past bars."""
    slippage_bps: Rate = 0.0
    """Further distance of the fill from the reference price."""
    commission_bps: Rate = 0.0
    """Commission, of the filled value."""
    commission_per_share: Rate = 0.0
    """Commission a share or contract."""
    commission_min: Rate = 0.0
    """Least commission of an order."""
    impact: Rate = 0.0
    """Coefficient Y of the square-root law Y·σ·√(size / volume), with σ and volume of the past 20 bars; 1 is usual."""
    participation_cap: float | None = None
    """Largest share of a bar's volume that an order may fill; the rest waits for the next bar. None: no limit."""
    borrow_bps_per_bar: Rate = 0.0
    """Fee a bar on the value of short positions at the close."""
    funding_bps_per_bar: Rate = 0.0
    """Funding of perpetual futures a bar: long positions pay it to short ones if it is positive."""
    cash_interest_bps_per_bar: Rate = 0.0
    """Interest a bar that positive cash earns."""
    margin_interest_bps_per_bar: Rate = 0.0
    """Interest a bar that negative cash costs."""
    lot: Rate = 0.0
    """Positions are multiples of it, rounded towards zero; 0 allows fractions."""
    multiplier: Rate = 1.0
    """Money that a contract is worth a point of price; 1 for shares and currencies."""
    financed: bool | Mapping[str, bool] = True
    """Whether cash pays for positions and so earns no interest; false for futures, which need margin only."""

    def __post_init__(self) -> None:
        for name, value in self._numbers():
            if value is None or isinstance(value, str):
                continue
            problem = _problem(name, value)
            if problem:
                raise ConfigError(f"Costs: {name} has value {value!r}; expected {problem}.")

    def _numbers(self) -> Iterator[tuple[str, object]]:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "financed":
                continue
            if isinstance(value, Mapping):
                yield from ((f"{field.name} of {symbol}", one) for symbol, one in value.items())
            elif isinstance(value, (pd.Series, pd.DataFrame)):
                yield from ((field.name, one) for one in _extremes(field.name, value))
            elif isinstance(value, str) and (field.name, value) != ("half_spread_bps", CORWIN_SCHULTZ):
                raise ConfigError(
                    f"Costs: {field.name} has value {value!r}; expected a number"
                    + (f" or {CORWIN_SCHULTZ!r}." if field.name == "half_spread_bps" else ".")
                )
            elif value is None and field.name != "participation_cap":
                raise ConfigError(f"Costs: {field.name} has value None; expected a number. Leave it out for no cost.")
            else:
                yield field.name, value


def _extremes(name: str, value: pd.Series | pd.DataFrame) -> tuple[float, ...]:
    try:
        known = value.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigError(
            f"Costs: {name} has values that are not numbers; expected numbers by date and symbol."
        ) from None
    known = known[~np.isnan(known)]
    return (float(known.min()), float(known.max())) if known.size else (math.nan,)


def _problem(label: str, given: Any) -> str:
    """Return what is expected instead of a value, empty if it is right."""
    name = label.partition(" of ")[0]
    is_number = isinstance(given, (int, float, np.integer, np.floating)) and not isinstance(given, bool)
    value = float(given) if is_number else math.nan
    if not math.isfinite(value):
        return "a finite number"
    if name in _SIGNED:
        return "" if abs(value) < 10_000 else "less than 10,000 basis points (all of it)"
    if value < 0:
        return "a number of at least 0"
    if name in ("participation_cap", "multiplier") and value == 0:
        return "a number above 0"
    if name == "participation_cap" and value > 1:
        return "a share of the volume, at most 1"
    if name in _BPS_OF_PRICE and value >= 5_000:
        return "less than 5,000 basis points (half of the price)"
    return ""

"""Settings of backtests: costs, the account, and how much is simulated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from configs.values import Fraction, Frozen

_MOST = 1e9


def _figure(least: float, below: float, *words: str) -> BeforeValidator:
    """Return a check of a number, or of numbers by symbol, at least ``least`` and below ``below``; or one of words."""

    def fits(value: object) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and least <= value < below  # type: ignore[operator]

    def check(value: object) -> object:
        each = list(value.values()) if isinstance(value, Mapping) else [value]
        if value is None or value in words or all(map(fits, each)):
            return value
        most = f" and below {below:,g}"
        also = "".join(f", {word}" for word in words)
        raise ValueError(f"expected a number of at least {least:g}{most}, such numbers by symbol{also}, or null")

    return BeforeValidator(check)


CostPreset = Literal["us_equities", "crypto", "fx", "futures", "none"]
Figure = float | dict[str, float] | None
AtLeast0 = Annotated[Figure, _figure(0.0, _MOST)]
Bps = Annotated[Figure, _figure(0.0, 5_000.0)]
SignedBps = Annotated[Figure, _figure(-9_999.0, 10_000.0)]
Money = Annotated[float, Field(gt=0.0, le=1e15)]


class CostConfig(Frozen):
    """Costs of trading: those of a preset, of which any can be replaced by a number, or by symbol.

    Symbols that are not named keep the preset's.
    """

    preset: CostPreset = "us_equities"
    """Costs of a kind of market; ``none`` has none."""
    half_spread_bps: Annotated[Figure | Literal["corwin_schultz"], _figure(0.0, 5_000.0, "corwin_schultz")] = None
    """Half of the quoted spread in basis points of the price; ``corwin_schultz`` estimates it from past bars; null, as
    for all other costs, means the preset's."""
    slippage_bps: Bps = None
    """Further distance of a fill from the reference price, in basis points."""
    commission_bps: Bps = None
    """Commission in basis points of the filled value."""
    commission_per_share: AtLeast0 = None
    """Commission a share or contract, in money."""
    commission_min: AtLeast0 = None
    """Least commission of an order, in money."""
    impact: AtLeast0 = None
    """Coefficient of the square-root law of market impact; 1 is usual, 0 none."""
    participation_cap: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Largest share of a bar's volume that an order may fill."""
    borrow_bps_per_bar: Bps = None
    """Fee a bar on the value of short positions, in basis points."""
    funding_bps_per_bar: SignedBps = None
    """Funding of perpetual futures a bar, in basis points; positive if long positions pay it."""
    cash_interest_bps_per_bar: Annotated[float, Field(gt=-10_000.0, lt=10_000.0)] | None = None
    """Interest a bar that positive cash earns, in basis points. Sharpe and Sortino ratios are of returns above it."""
    margin_interest_bps_per_bar: Annotated[float, Field(ge=0.0, lt=5_000.0)] | None = None
    """Interest a bar that negative cash costs, in basis points."""
    lot: AtLeast0 = None
    """Positions are multiples of it; 0 allows fractions."""
    multiplier: Annotated[Figure, _figure(1e-12, _MOST)] = None
    """Money that a contract is worth a point of price; 1 for shares and currencies."""
    financed: bool | None = None
    """Whether cash pays for positions; false for futures, which need margin only."""


class BacktestConfig(Frozen):
    """A simulated account that follows a strategy on out-of-sample forecasts. Models do not depend on it."""

    costs: CostConfig = CostConfig()
    cash: Money = 1_000_000.0
    """Money at the start."""
    fill: Literal["open", "close", "vwap"] = "open"
    """Where a decision at a close is filled in the next bar; ``vwap`` is (open + high + low + close) / 4."""
    max_leverage: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    """Largest gross exposure as a multiple of equity when orders are filled; null means no limit."""
    start: date | None = None
    """First day of the backtest; null means the first out-of-sample forecast. An earlier day is refused."""
    end: date | None = None
    """Last day of the backtest; null means the last out-of-sample forecast. A later day is refused."""
    benchmark: str | None = None
    """Symbol that is bought and held for comparison; null means equal amounts of all."""
    delisted: dict[str, Annotated[float, Field(ge=-1.0, le=10.0)]] = Field(default_factory=dict)
    """Return on delisting by symbol, such as -0.3, of symbols whose bars end because they were delisted."""
    currency: dict[str, str] = Field(default_factory=dict)
    """Currency by symbol; the others have that of the account."""
    account_currency: str | None = None
    """Currency of the account."""
    fx_rates: str | None = None
    """CSV or Parquet file with the column date and one a currency: the price of one unit in the account's currency."""
    confidence: Fraction = 0.90
    """Mass of the intervals of metrics."""
    paths: Annotated[int, Field(ge=10, le=1_000_000)] = 1_000
    """Resampled histories behind the intervals."""
    simulations: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Monte Carlo simulations of each kind: other times, other orders, noisy prices, other costs and settings."""
    price_noise: Annotated[float, Field(gt=0.0, le=10.0)] = 0.1
    """Standard deviation of the noise on prices, as a share of the standard deviation of a bar's return."""
    perturbation: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.25
    """Largest relative change of costs and of numeric strategy settings in simulations."""
    capitals: Annotated[tuple[Money, ...], Field(min_length=1)] = (1e5, 1e6, 1e7, 1e8, 1e9)
    """Amounts of money for which the Sharpe ratio is computed, because trading costs grow with orders."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of everything that is random."""

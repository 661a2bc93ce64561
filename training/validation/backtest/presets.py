"""Costs of common markets, for a start: replace them by those of your broker."""

from __future__ import annotations

from configs.errors import ConfigError
from training.validation.backtest.costs import Costs

PRESETS = ("us_equities", "crypto", "fx", "futures", "none")


def preset(name: str, bars_per_year: float) -> Costs:
    """Return the costs of a kind of market; yearly rates are divided by the bars a year of the data.

    ``us_equities``: large stocks at a retail broker, whole shares, half-spread 2 bps, slippage 1 bp, $0.005 a share and
    at least $1 an order, impact, at most 10 % of a bar's volume, 0.4 % a year to borrow, 5 % on negative cash.
    ``crypto``: spot, 10 bps commission, half-spread 1 bp, slippage 2 bps, impact, at most 5 % of volume, 10 % a year to
    borrow coins or money. ``fx``: half-spread 0.5 bp, slippage 0.25 bp, commission 0.2 bp, on margin; interest
    differentials are not included. ``futures``: half-spread 1 bp, slippage 0.5 bp, $2.25 a contract, whole contracts,
    on margin; give ``multiplier`` by symbol. ``none``: no costs.

    Raises
    ------
    ConfigError
        There is no such preset, or ``bars_per_year`` is not positive.
    """
    if not bars_per_year > 0:
        raise ConfigError(f"bars_per_year has value {bars_per_year!r}; expected a positive number.")
    a_year = 10_000 / bars_per_year
    match name:
        case "us_equities":
            return Costs(
                half_spread_bps=2,
                slippage_bps=1,
                commission_per_share=0.005,
                commission_min=1.0,
                impact=1.0,
                participation_cap=0.10,
                borrow_bps_per_bar=0.004 * a_year,
                margin_interest_bps_per_bar=0.05 * a_year,
                lot=1,
            )
        case "crypto":
            return Costs(
                half_spread_bps=1,
                slippage_bps=2,
                commission_bps=10,
                impact=1.0,
                participation_cap=0.05,
                borrow_bps_per_bar=0.10 * a_year,
                margin_interest_bps_per_bar=0.10 * a_year,
            )
        case "fx":
            return Costs(half_spread_bps=0.5, slippage_bps=0.25, commission_bps=0.2, financed=False)
        case "futures":
            return Costs(half_spread_bps=1, slippage_bps=0.5, commission_per_share=2.25, lot=1, financed=False)
        case "none":
            return Costs()
        case _:
            raise ConfigError(f"there are no costs named {name!r}; expected one of {', '.join(PRESETS)}.")

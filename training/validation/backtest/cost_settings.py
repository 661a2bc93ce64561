"""From settings of a backtest to costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from configs.backtest import CostConfig
from configs.errors import ConfigError, shortened
from training.validation.backtest.costs import Costs
from training.validation.backtest.presets import preset

_SCALED = (
    "half_spread_bps",
    "slippage_bps",
    "commission_bps",
    "commission_per_share",
    "commission_min",
    "impact",
    "borrow_bps_per_bar",
    "margin_interest_bps_per_bar",
)


def costs_of(
    config: CostConfig, bars_per_year: float, symbols: Sequence[str], own: Mapping[str, float] | None = None
) -> Costs:
    """Return the costs of a preset with the values that the settings replace, of all or of some symbols.

    Parameters
    ----------
    bars_per_year
        Of the calendar, by which yearly interest on cash is divided.
    symbols
        All that are traded.
    own
        Bars a year of each symbol, by which its yearly fee for borrowing is divided; by default those of the calendar.

    Raises
    ------
    ConfigError
        A value does not make sense, a symbol is not one of ``symbols``, or ``bars_per_year`` is not positive.
    """
    base = preset(config.preset, bars_per_year)
    fee = base.borrow_bps_per_bar
    if own is not None and isinstance(fee, float) and fee:
        base = replace(base, borrow_bps_per_bar={symbol: fee * bars_per_year / own[symbol] for symbol in symbols})
    values = {name: getattr(config, name) for name in type(config).model_fields if name != "preset"}
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, Mapping):
            if unknown := sorted(set(value) - set(symbols)):
                raise ConfigError(
                    f"backtest.costs.{name} has {shortened(unknown)}, of which there are no forecasts; expected some "
                    f"of {shortened(sorted(symbols))}."
                )
            usual = getattr(base, name)
            given[name] = {**(usual if isinstance(usual, Mapping) else dict.fromkeys(symbols, usual)), **value}
    return replace(base, **given)


def scaled(costs: Costs, factor: float) -> Costs:
    """Return costs with every price of trading and borrowing multiplied by a factor; estimated spreads stay."""
    return replace(costs, **{name: _times(getattr(costs, name), factor) for name in _SCALED})


def _times(value: Any, factor: float) -> Any:
    if isinstance(value, Mapping):
        return {symbol: one * factor for symbol, one in value.items()}
    return value if isinstance(value, str) else value * factor

"""Exchange rates of symbols that are quoted in other currencies than the account's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from configs.errors import ConfigError, DataError, last_line, shortened
from training.validation.backtest.as_of import as_of
from training.validation.backtest.market import Float, Market


def exchange_rates(
    currency: Mapping[str, str] | None, rates: pd.DataFrame | None, market: Market, account: str | None
) -> Float | None:
    """Return the price (T, S) of each symbol's currency in the account's; None if all have the account's.

    Parameters
    ----------
    currency
        Currency by symbol; symbols that are not named have the account's.
    rates
        Price of one unit of each currency in the account's, dates × currencies; each bar uses the newest of its date or
        before.
    account
        The account's currency, which has no rate.

    Raises
    ------
    ConfigError
        A currency has no rate, or its rates begin after the symbol's bars.
    DataError
        A rate is not a number above 0.
    """
    if not currency:
        return None
    named = {
        symbol: currency[symbol] for symbol in market.symbols if symbol in currency and currency[symbol] != account
    }
    if not named:
        return None
    known = [] if rates is None else [str(name) for name in rates.columns]
    missing = sorted(set(named.values()) - set(known))
    if missing or rates is None:
        raise ConfigError(f"there are no exchange rates of {shortened(missing)}; give them as columns of fx_rates=.")
    out = np.ones(market.shape)
    try:
        columns = {name: rates[column].to_numpy(dtype=np.float64) for name, column in zip(known, rates, strict=True)}
    except (TypeError, ValueError) as error:
        raise DataError(
            f"fx_rates has values that are not numbers ({last_line(error)}); expected prices of one unit of each "
            "currency in the account's, dates × currencies."
        ) from error
    for s, symbol in enumerate(market.symbols):
        if symbol in named:
            what = f"fx_rates of {named[symbol]}"
            values = as_of(columns[named[symbol]], rates.index, market.dates, what, int(market.first_bar[s]))
            if not (values > 0).all():
                raise DataError(
                    f"{what} has a value of 0 or less; expected prices of one unit in the account's currency."
                )
            out[:, s] = values
    return out

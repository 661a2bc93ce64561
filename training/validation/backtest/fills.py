"""At which price an order is filled within a bar."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from configs.errors import ConfigError
from training.validation.backtest.market import Float, Market

FillModel: TypeAlias = Literal["open", "close", "vwap"]
FILL_MODELS = ("open", "close", "vwap")


def reference_price(market: Market, model: FillModel) -> Float:
    """Return the price (T, S) at which an order of the close before is filled, without costs; NaN without a bar.

    ``open`` and ``close`` are those of the next bar; ``vwap`` stands for orders spread over it, at (O + H + L + C) / 4.

    Raises
    ------
    ConfigError
        There is no such model.
    """
    match model:
        case "open":
            return market.open
        case "close":
            return market.close
        case "vwap":
            return (market.open + market.high + market.low + market.close) / 4.0
    raise ConfigError(f"fill has value {model!r}; expected one of {', '.join(FILL_MODELS)}.")


def limit_fill(
    side: npt.ArrayLike, limit: npt.ArrayLike, open_: npt.ArrayLike, high: npt.ArrayLike, low: npt.ArrayLike
) -> Float:
    """Return the price (…) of limit orders in a bar: the open if it is better than the limit; NaN if not reached.

    ``side`` is +1 for a purchase and −1 for a sale. The broker fills a limit that the bar only touches.
    """
    buys = np.asarray(side) > 0
    reached = np.where(buys, np.asarray(low) <= limit, np.asarray(high) >= limit)
    return np.where(reached, np.where(buys, np.minimum(open_, limit), np.maximum(open_, limit)), np.nan)


def stop_fill(
    side: npt.ArrayLike, stop: npt.ArrayLike, open_: npt.ArrayLike, high: npt.ArrayLike, low: npt.ArrayLike
) -> Float:
    """Return the price (…) of stop orders in a bar: the open if it is beyond the stop; NaN if not reached.

    ``side`` is +1 for a purchase and −1 for a sale.
    """
    buys = np.asarray(side) > 0
    reached = np.where(buys, np.asarray(high) >= stop, np.asarray(low) <= stop)
    return np.where(reached, np.where(buys, np.maximum(open_, stop), np.minimum(open_, stop)), np.nan)


def exit_fill(
    position: npt.ArrayLike,
    stop: npt.ArrayLike,
    take_profit: npt.ArrayLike,
    open_: npt.ArrayLike,
    high: npt.ArrayLike,
    low: npt.ArrayLike,
) -> tuple[Float, npt.NDArray[np.bool_]]:
    """Return the price (…) at which positions are closed in a bar, NaN where none is, and whether by the stop (…).

    Of a stop and a target that are both reached, the stop counts: the bar does not tell which was first. An open beyond
    the target is the better price and is certain to come first.
    """
    side = -np.sign(position)
    stopped, taken = stop_fill(side, stop, open_, high, low), limit_fill(side, take_profit, open_, high, low)
    at_open = (taken == np.asarray(open_)) & (stopped != np.asarray(open_))
    by_stop = ~np.isnan(stopped) & ~at_open
    price = np.where(by_stop, stopped, taken)
    return np.where(np.asarray(position) == 0, np.nan, price), by_stop & (np.asarray(position) != 0)

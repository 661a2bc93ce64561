"""Round trips: from flat to flat, or to the other side, of each symbol, rebuilt from records of orders."""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.validation.backtest.market import Float
from training.validation.backtest.records import Ints
from training.validation.backtest.simulation import Simulation

_COLUMNS = ("symbol", "side", "entry", "exit", "bars", "invested", "profit", "return")


def round_trips(result: Simulation) -> pd.DataFrame:
    """Return one row a closed round trip, in order of exit.

    ``symbol``; ``side`` (+1 long, −1 short); dates of ``entry`` and ``exit``; ``bars`` between them on the calendar;
    ``invested``, the value of all orders that entered; ``profit`` after the costs of its orders, in the account's
    currency; and ``return``, profit over invested. Dividends, borrow, funding and interest are not in it.
    An order that turns a position closes one trip and opens the next, and its costs are divided by size.

    A ratio of these returns has no bars a year: it must not be annualised.
    """
    fills, book = result.fills, result.ledger
    cost = np.zeros(len(book.value))
    for one in book.charges:
        cost += one
    order = np.argsort(fills.column, kind="stable")
    starts = np.searchsorted(fills.column[order], np.arange(len(result.market.symbols) + 1))
    rows: list[tuple[object, ...]] = []
    for s, symbol in enumerate(result.market.symbols):
        own = order[starts[s] : starts[s + 1]]
        rows += _of_symbol(symbol, fills.row[own], fills.quantity[own], book.paid[own], cost[own], result.dates)
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.sort_values(["exit", "symbol"], kind="stable", ignore_index=True)


def _of_symbol(
    symbol: str, row: Ints, quantity: Float, paid: Float, cost: Float, dates: pd.DatetimeIndex
) -> list[tuple[object, ...]]:
    out: list[tuple[object, ...]] = []
    held, began, invested, spent = 0.0, 0, 0.0, 0.0
    for t, q, p, c in zip(row.tolist(), quantity.tolist(), paid.tolist(), cost.tolist(), strict=True):
        rest = held + q
        if abs(rest) <= 1e-9 * abs(q):
            rest = 0.0
        if held != 0.0 and held * rest <= 0.0:
            share = min(abs(held) / abs(q), 1.0)
            profit = -(spent + share * (p + c))
            out.append(
                (symbol, int(np.sign(held)), dates[began], dates[t], t - began, invested, profit, profit / invested)
            )
            held, invested, spent = 0.0, 0.0, 0.0
            p, c = p * (1.0 - share), c * (1.0 - share)
            if rest == 0.0:
                continue
        if held == 0.0:
            began = t
        if held == 0.0 or abs(rest) > abs(held):
            invested += abs(p)
        spent += p + c
        held = rest
    return out

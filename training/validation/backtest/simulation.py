"""What a simulated account did: equity, orders, costs, and metrics rebuilt from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from configs.errors import DataError
from training.metrics.money import money_metrics, sharpe, sortino
from training.validation.backtest.ledger import Ledger
from training.validation.backtest.market import Float, Market
from training.validation.backtest.records import KINDS, Fills

COST_KINDS = ("spread", "slippage", "impact", "commission", "borrow", "funding", "interest")


@dataclass(frozen=True, eq=False)
class Simulation:
    """An account's history. Amounts are money of the account's currency; dates are those of closes.

    ``notes`` are sentences about what the data did to the account: bars left out, positions without a price, ruin.
    ``riskless`` (T,) is the interest a bar that positive cash earned, None for none.
    """

    market: Market
    fills: Fills
    ledger: Ledger
    held: Float
    starting_cash: float
    notes: tuple[str, ...] = ()
    riskless: Float | None = None

    @cached_property
    def dates(self) -> pd.DatetimeIndex:
        """The calendar (T,)."""
        return pd.DatetimeIndex(self.market.dates, name="date")

    @cached_property
    def equity(self) -> pd.Series:
        """Cash and the value of all positions at each close."""
        return pd.Series(self.ledger.equity, index=self.dates, name="equity")

    @cached_property
    def cash(self) -> pd.Series:
        """Cash at each close, after all charges of the bar."""
        return pd.Series(self.ledger.cash, index=self.dates, name="cash")

    @cached_property
    def positions(self) -> pd.DataFrame:
        """Units held at each close (T, S)."""
        return pd.DataFrame(self.held, index=self.dates, columns=list(self.market.symbols))

    @cached_property
    def returns(self) -> pd.Series:
        """Simple returns of equity (T − 1,); NaN once equity is not above 0."""
        before = self.ledger.equity[:-1]
        change = np.divide(np.diff(self.ledger.equity), before, out=np.full(len(before), np.nan), where=before > 0)
        return pd.Series(change, index=self.dates[1:], name="returns")

    @cached_property
    def excess_returns(self) -> pd.Series:
        """Returns (T − 1,) less what cash earned, of which Sharpe and Sortino ratios are made: cash has no skill."""
        return self.returns if self.riskless is None else (self.returns - self.riskless[1:]).rename("excess_returns")

    def return_metrics(self, returns: Float, bars_per_year: float) -> dict[str, Float]:
        """Return every metric of simple returns (…, T) such as resampled ones, with the mean interest of this account.

        Sharpe and Sortino ratios are of returns less the interest that cash earned.
        """
        found = money_metrics(returns, bars_per_year)
        if self.riskless is None:
            return found
        excess = np.asarray(returns) - float(self.riskless[1:].mean())
        return found | {"sharpe": sharpe(excess, bars_per_year), "sortino": sortino(excess, bars_per_year)}

    @cached_property
    def orders(self) -> pd.DataFrame:
        """One row a filled order, in order of time.

        ``date`` of the fill, ``symbol``, ``kind`` (market, limit, stop, take_profit, delisting), ``requested`` and
        filled ``quantity`` (negative for sales), ``reference`` price before costs and ``price`` after spread, slippage
        and impact (in the symbol's currency), ``value`` at the reference price and the costs ``spread slippage impact
        commission`` (in the account's).
        """
        fills, book = self.fills, self.ledger
        n = len(fills.row)
        costs = dict(zip(COST_KINDS[:4], book.charges, strict=True))
        moved = costs["spread"] + costs["slippage"] + costs["impact"]
        shift = np.divide(moved, book.value, out=np.zeros(n), where=book.value > 0)
        return pd.DataFrame(
            {
                "date": self.dates[fills.row],
                "symbol": pd.Categorical.from_codes(fills.column, categories=pd.Index(self.market.symbols)),
                "kind": pd.Categorical.from_codes(fills.kind, categories=pd.Index(KINDS)),
                "requested": fills.requested,
                "quantity": fills.quantity,
                "reference": fills.reference,
                "price": fills.reference * (1.0 + np.sign(fills.quantity) * shift),
                "value": book.value,
                **costs,
            }
        )

    @cached_property
    def costs(self) -> pd.Series:
        """Total costs by kind, positive if paid: equity is starting cash + ``gross_profit`` − their sum."""
        book = self.ledger
        paid = [float(np.sum(one)) for one in book.charges]
        carried = [float(one.sum()) for one in (book.borrow, book.funding, book.interest)]
        return pd.Series([*paid, *carried], index=list(COST_KINDS), name="costs")

    @cached_property
    def costs_by_symbol(self) -> pd.DataFrame:
        """Costs (S, kinds) by symbol; interest is the account's and is not in here."""
        book, symbols = self.ledger, len(self.market.symbols)
        of_orders = [np.bincount(self.fills.column, weights=one, minlength=symbols) for one in book.charges]
        table = np.column_stack([*of_orders, book.held_costs])
        return pd.DataFrame(table, index=list(self.market.symbols), columns=list(COST_KINDS[:6]))

    @cached_property
    def profit_by_symbol(self) -> pd.Series:
        """Profit (S,) of each symbol after its costs, dividends included; the sum, less interest, is the account's."""
        book = self.ledger
        spent = np.bincount(self.fills.column, weights=book.paid, minlength=len(self.market.symbols))
        gross = book.final_value - spent + book.dividends_by_symbol
        return pd.Series(
            gross - self.costs_by_symbol.sum(axis=1).to_numpy(), index=list(self.market.symbols), name="profit"
        )

    @property
    def gross_profit(self) -> float:
        """Profit before all costs of the same orders, dividends included."""
        return float(self.ledger.equity[-1] - self.starting_cash + self.costs.sum())

    @property
    def break_even_bps(self) -> float:
        """Cost of the traded value, in basis points, that uses up the gross profit; NaN without orders."""
        traded = float(self.ledger.traded.sum())
        return self.gross_profit / traded * 1e4 if traded > 0 else float("nan")

    def turnover(self, bars_per_year: float) -> float:
        """Return the value of purchases and sales a year as a multiple of mean equity; NaN after ruin."""
        mean = float(self.ledger.equity.mean())
        traded = float(self.ledger.traded.sum()) / self._years(bars_per_year)
        return traded / mean if self.ledger.equity.min() > 0 else float("nan")

    def costs_a_year(self, bars_per_year: float) -> float:
        """Return all costs, interest included, a year as a share of starting cash."""
        return float(self.costs.sum()) / self.starting_cash / self._years(bars_per_year)

    def _years(self, bars_per_year: float) -> float:
        return max(len(self.ledger.equity) - 1, 1) / bars_per_year

    def metrics(self, bars_per_year: float) -> dict[str, float]:
        """Return every metric by name: those of :func:`~training.metrics.money.money_metrics`, and the account's own.

        Sharpe and Sortino ratios are of returns less the interest that cash earned.

        Parameters
        ----------
        bars_per_year
            Instants a year of the calendar, from the data: 252 for daily sessions, 365 for daily crypto.

        Raises
        ------
        DataError
            The calendar has a single instant.
        """
        if len(self.dates) < 2:
            raise DataError("a single instant has no return; expected bars of at least two dates.")
        book = self.ledger
        values = {name: float(value) for name, value in money_metrics(self.returns.to_numpy(), bars_per_year).items()}
        if self.riskless is not None:
            excess = self.excess_returns.to_numpy()
            values |= {"sharpe": float(sharpe(excess, bars_per_year)), "sortino": float(sortino(excess, bars_per_year))}
        equity = np.where(book.equity > 0, book.equity, np.nan)
        exposed = np.nan_to_num(book.gross / equity), np.nan_to_num(book.net / equity)
        return values | {
            "final_equity": float(book.equity[-1]),
            "orders": float(len(book.value)),
            "turnover": self.turnover(bars_per_year),
            "gross_exposure": float(exposed[0].mean()),
            "net_exposure": float(exposed[1].mean()),
            "costs": float(self.costs.sum()),
            "gross_profit": self.gross_profit,
            "break_even_bps": self.break_even_bps,
        }

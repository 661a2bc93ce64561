"""What the volatility forecasts of a backtest are worth to an investor who targets volatility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.backtesting.account_terms import BacktestTerms
from training.backtesting.chart_series import quarter
from training.backtesting.forecasts import OutOfSample, backtest_view, with_ewma
from training.metrics.comparison import Comparison
from training.metrics.ratio import Array
from training.strategy.series import at_rows, last_row
from training.strategy.view import ForecastView
from training.validation.economic_value import performance_fee, utility_difference

RISK_AVERSIONS = (1, 10)
_TARGET, _MOST = 0.10, 4.0


@dataclass(frozen=True)
class EconomicValue:
    """Annual shares of wealth.

    ``utility`` and ``utility_ewma`` are realised utilities of targeting volatility with the model and with the EWMA,
    ``gain`` their difference; at most 0.04 with perfect forecasts. ``fees`` by risk aversion are what an investor would
    pay a year to switch from the EWMA's portfolio to the model's. ``volatility`` and ``volatility_ewma`` are those of
    the two portfolios, ``volatility_deviation`` and
    ``volatility_deviation_ewma`` the standard deviations of their rolling volatilities.
    """

    utility: float
    utility_ewma: float
    gain: Comparison
    fees: dict[int, Comparison]
    volatility: float
    volatility_ewma: float
    volatility_deviation: float
    volatility_deviation_ewma: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        fees = {one: fee._asdict() for one, fee in self.fees.items()}
        figures = {**self.__dict__, "gain": self.gain._asdict(), "fees": fees}
        return {name.replace("volatility_deviation", "wandering"): value for name, value in figures.items()}


def economic_value(found: OutOfSample, view: ForecastView, terms: BacktestTerms) -> EconomicValue | None:
    """Return the worth of the volatility forecasts, from equal shares of every symbol scaled to a volatility of 10 %.

    Each symbol's share is scaled by 10 % over its forecast, at most 4 times, without costs or limits, so that only the
    forecasts make a difference. None without volatility forecasts.
    """
    table = found.tables.get("volatility")
    if table is None:
        return None
    other = with_ewma(found.tables, view)["volatility"]
    if "target" in table.columns:
        usable = (table["target"] > 0).to_numpy()
        columns = (table["target"], table["forecast"], other["forecast"], table["date"])
        target, forecast, ewma, dates = (one.to_numpy()[usable] for one in columns)
        figures = utility_difference(target, forecast, ewma, dates, found.config.volatility.horizon - 1)
    else:
        figures = (np.nan, np.nan, Comparison(np.nan, np.nan))
    own = _scaled_returns(view, terms)
    theirs = _scaled_returns(backtest_view({"volatility": other}, terms.history, found.config), terms)
    year = terms.bars_per_year
    return EconomicValue(
        *figures,
        fees={one: Comparison(*(year * part for part in performance_fee(own, theirs, one))) for one in RISK_AVERSIONS},
        volatility=float(own.std(ddof=1) * np.sqrt(year)),
        volatility_ewma=float(theirs.std(ddof=1) * np.sqrt(year)),
        volatility_deviation=_volatility_deviation(own, year),
        volatility_deviation_ewma=_volatility_deviation(theirs, year),
    )


def _scaled_returns(view: ForecastView, terms: BacktestTerms) -> Array:
    """Return the mean simple return to the next date (T,) of all symbols with a forecast, each scaled by it.

    A scale holds until the symbol's next bar, so that a stock earns what it opens with on Monday although other symbols
    trade on Sunday.
    """
    rows = np.flatnonzero((view.dates >= terms.market.dates[0]) & (view.dates < terms.market.dates[-1]))
    newest = last_row(view.has_bar)
    newest = np.where(newest < newest[-1], newest, -1)  # after its last bar a symbol earns nothing
    volatility = np.where(view.has_volatility, view.volatility, np.nan)
    scale = np.minimum(_TARGET / at_rows(volatility, newest), _MOST)[rows]
    ahead = view.newest_close[rows + 1] / view.newest_close[rows] - 1.0
    scaled = np.where(np.isfinite(scale * ahead), scale * ahead, 0.0)
    count = np.isfinite(scale * ahead).sum(axis=1)
    return np.asarray(scaled.sum(axis=1) / np.maximum(count, 1))


def _volatility_deviation(returns: Array, bars_per_year: float) -> float:
    window = quarter(bars_per_year)
    if len(returns) < 2 * window:
        return float("nan")
    parts = np.lib.stride_tricks.sliding_window_view(returns, window)
    return float((parts.std(axis=1, ddof=1) * np.sqrt(bars_per_year)).std(ddof=1))

"""From a market and tables of forecasts to a :class:`ForecastView`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from configs.errors import DataError, shortened
from configs.models import LabelConfig
from features.bars.arrays import Dates
from features.bars.period import bar_period
from features.labels import CLASSES, ewma_volatility, sideways_band
from training.strategy.series import Float, Mask, over_own_bars
from training.strategy.view import ForecastView
from training.validation.backtest.market import Market

Table: TypeAlias = pa.Table | pd.DataFrame
_DIRECTION = tuple(f"p_{name}" for name in CLASSES)
_VOLATILITY = ("forecast", "low", "high")
LEAST_DATES = 60  # that bars a year are taken from, if forecasts begin earlier


def read_view(
    market: Market,
    direction: Table | None = None,
    volatility: Table | None = None,
    *,
    horizon: int = 1,
    volatility_horizon: int = 5,
    label: LabelConfig | None = None,
    delisted: Collection[str] = (),
) -> ForecastView:
    """Return what is known at each close of a market.

    Parameters
    ----------
    market
        Bars from before the first forecast on: regimes and bars a year are those of that part and then fixed.
    direction
        Out-of-sample forecasts, one row a ``symbol`` and ``date``: ``p_down``, ``p_sideways``, ``p_up``.
    volatility
        The same with ``forecast``, ``low``, ``high``: mean variances a bar. ``low`` and ``high`` may be missing.
    horizon, volatility_horizon
        Bars ahead of the forecasts.
    label
        The definition of the classes.
    delisted
        Symbols whose positions an account settles after their last bar, as :func:`.simulate` does.

    Raises
    ------
    DataError
        There is no table, a column is missing, a symbol or date is not in the market, a row occurs twice, or
        probabilities are not positive with a sum of 1.
    """
    if direction is None and volatility is None:
        raise DataError("there are no forecasts: both tables are None. Give forecasts of direction or volatility.")
    p = _placed(direction, market, _DIRECTION, _DIRECTION, "direction forecasts")
    v = _placed(volatility, market, _VOLATILITY, _VOLATILITY[:1], "volatility forecasts")
    check_probabilities(p)
    view = view_of_arrays(market, p, v, horizon=horizon, volatility_horizon=volatility_horizon, label=label)
    if not delisted:
        return view
    ends = np.array([name in delisted for name in market.symbols])
    return replace(view, settled=ends & (np.arange(len(market.dates))[:, None] > market.last_bar))


def view_of_arrays(
    market: Market, p: Float, v: Float, *, horizon: int, volatility_horizon: int, label: LabelConfig | None = None
) -> ForecastView:
    """Return what is known at each close, from probabilities and from variances with intervals, (D, S, 3) each."""
    label = LabelConfig() if label is None else label
    bar_variance = _bar_variance(market)
    vol = over_own_bars(lambda one: ewma_volatility(one, label.ewma_lambda), bar_variance, market.has_bar)
    known = np.flatnonzero((np.isfinite(p).any(axis=-1) | np.isfinite(v[..., 0])).any(axis=1))
    return ForecastView(
        dates=market.dates,
        symbols=market.symbols,
        open=market.open,
        high=market.high,
        low=market.low,
        close=market.close,
        bar_variance=bar_variance,
        ewma_vol=vol,
        band=sideways_band(vol.ravel(), horizon, label).reshape(vol.shape),
        probabilities=p,
        variance=v[..., 0],
        variance_low=v[..., 1],
        variance_high=v[..., 2],
        bars_per_year=bars_per_year(market.dates, market.has_bar, int(known[0]) if len(known) else len(market.dates)),
        horizon=horizon,
        volatility_horizon=volatility_horizon,
    )


def _placed(table: Table | None, market: Market, columns: Sequence[str], needed: Sequence[str], what: str) -> Float:
    """Return columns (D, S, C) of a table; NaN where there is no row."""
    out = np.full((*market.shape, len(columns)), np.nan)
    if table is None:
        return out
    names = table.column_names if isinstance(table, pa.Table) else [str(name) for name in table.columns]
    if missing := [name for name in ("symbol", "date", *needed) if name not in names]:
        raise DataError(f"{what} lack the columns {', '.join(missing)}; they have {shortened(names)}.")
    present = [name for name in columns if name in names]
    frame = table.select(["symbol", "date", *present]).to_pandas() if isinstance(table, pa.Table) else table
    column = pd.Index(market.symbols).get_indexer(pd.Index(frame["symbol"].astype(str)))
    dates = pd.to_datetime(frame["date"], utc=True).dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
    row = pd.Index(market.dates.astype("datetime64[ns]")).get_indexer(pd.Index(dates))
    if (column < 0).any() or (row < 0).any():
        symbol, day = frame["symbol"].iloc[int(((column < 0) | (row < 0)).argmax())], dates[(column < 0) | (row < 0)][0]
        raise DataError(
            f"{what} have {symbol} on {str(day)[:10]}, of which the market has no bar; give the bars that the "
            "forecasts were made from."
        )
    place = row * len(market.symbols) + column
    if len(place) and np.bincount(place).max() > 1:
        raise DataError(f"{what} have a symbol and date twice; expected one row of each.")
    for i, name in enumerate(columns):
        if name in present:
            out[row, column, i] = frame[name].to_numpy(dtype=np.float64)
    return out


def check_probabilities(p: Float) -> None:
    """Raise :class:`DataError` if probabilities (…, 3) that are not NaN are no probabilities."""
    known = p[np.isfinite(p).any(axis=-1)]
    wrong = ~((known >= 0.0).all(axis=-1) & (np.abs(known.sum(axis=-1) - 1.0) < 1e-3))
    if wrong.any():
        raise DataError(
            f"direction forecasts have the probabilities {known[wrong][0].tolist()}; expected three numbers of at "
            "least 0 with a sum of 1."
        )


def _bar_variance(market: Market) -> Float:
    """Return v of each bar (D, S) as :func:`features.labels.bar_variance`; of equal prices it is the squared return."""
    out = np.full(market.shape, np.nan)
    for s in range(market.shape[1]):
        rows = np.flatnonzero(market.has_bar[:, s])
        open_, high, low, close = (
            np.ascontiguousarray(one[rows, s]) for one in (market.open, market.high, market.low, market.close)
        )
        out[rows[1:], s] = variance_of_bars(open_[1:], high[1:], low[1:], close[1:], close[:-1])
    return out


def variance_of_bars(open_: Float, high: Float, low: Float, close: Float, before: Float) -> Float:
    """Return v of bars (N,) as :func:`features.labels.bar_variance`; ``before`` are the closes before them."""
    overnight, body = np.log(open_ / before), np.log(close / open_)
    spread = np.log(high / low)
    return np.asarray(overnight**2 + 0.5 * spread**2 - (2.0 * np.log(2.0) - 1.0) * body**2)


def bars_per_year(dates: Dates, has_bar: Mask, stop: int) -> Float:
    """Return bars a year (S,) from dates (D,) and bars (D, S) before row ``stop``; later ones change nothing."""
    days, stop = dates.astype("datetime64[ns]"), max(stop, LEAST_DATES)
    return np.array([bar_period(days[:stop][has_bar[:stop, s]]).bars_per_year for s in range(has_bar.shape[1])])

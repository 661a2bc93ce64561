"""Out-of-sample forecasts with the bars that they were made from, and the same forecasts by baselines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from configs.errors import DataError, shortened
from configs.schema import Config
from features.bars.schema import SymbolBars
from features.labels import CLASSES
from training.backtesting.origin import Origin
from training.backtesting.unscored import unscored_rows, with_unscored_records, with_unscored_rows
from training.strategy.series import Ints
from training.strategy.view import ForecastView
from training.strategy.view_builder import read_view
from training.validation.backtest.market import Market
from training.validation.backtest.read_market import read_market

Tables = Mapping[str, pd.DataFrame]
Models = Callable[[Sequence[SymbolBars]], Tables]
"""Forecasts the same rows from other bars, by models that were fitted before."""


@dataclass(frozen=True, eq=False)
class OutOfSample:
    """Forecasts that were made before their outcomes were known.

    Parameters
    ----------
    title
        Where they come from, in words.
    config
        The settings of their models: horizons and labels.
    bars
        Of every symbol whose bars the forecasts depend on, from long before the first one on.
    tables
        By kind, one row a symbol and date, as :meth:`.WalkForwards.forecasts` returns them.
    models
        The fitted models, which forecast the same rows from other bars; None, for the reason ``no_models``, where they
        are not stored.
    notes
        Sentences for the reader.
    origin
        Names, hashes and scores of what made the forecasts.
    """

    title: str
    config: Config
    bars: tuple[SymbolBars, ...]
    tables: Tables
    models: Models | None = None
    no_models: str = ""
    notes: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)

    @cached_property
    def symbols(self) -> frozenset[str]:
        """The symbols with a forecast."""
        return frozenset(str(symbol) for table in self.tables.values() for symbol in table["symbol"].unique())

    @property
    def horizon(self) -> int:
        """The longest horizon of the forecasts, in bars."""
        return max(self.config.section(kind).horizon for kind in self.tables)

    def only(self, symbol: str) -> Self:
        """Return the forecasts of one symbol.

        Raises
        ------
        DataError
            There are none.
        """
        tables = {kind: table[table["symbol"] == symbol] for kind, table in self.tables.items()}
        if not any(len(table) for table in tables.values()):
            raise DataError(
                f"{self.title} has no forecast of {symbol!r}; it has those of {shortened(sorted(self.symbols))}."
            )
        return replace(self, tables=tables)

    def reforecast(self, bars: Sequence[SymbolBars]) -> Tables:
        """Return the forecasts that the same models make from other bars of the same symbols."""
        assert self.models is not None, self.no_models
        return {kind: table[table["symbol"].isin(self.symbols)] for kind, table in self.models(bars).items()}

    def market(self, bars: Sequence[SymbolBars]) -> Market:
        """Return the bars of symbols with a forecast, aligned."""
        return read_market([one for one in bars if one.symbol in self.symbols])

    def days(self) -> tuple[np.datetime64, np.datetime64]:
        """Return the dates of the first and the last forecast."""
        dates = np.concatenate([table["date"].to_numpy().astype("datetime64[ns]") for table in self.tables.values()])
        if not len(dates):
            raise DataError(f"{self.title} has no forecast. Give more bars, or shorter windows.")
        return dates.min(), dates.max()

    def identity(self) -> str:
        """Return a hash of what is forecast of which symbols and dates."""
        digest = hashlib.sha256()
        for kind, table in sorted(self.tables.items()):
            names = [name for name in table.columns if name in ("forecast", *_PROBABILITIES)]
            digest.update("\0".join([kind, *names, *table["symbol"].astype(str)]).encode())
            digest.update(table["date"].to_numpy().astype("datetime64[ns]").astype("<i8").tobytes())
            digest.update(np.ascontiguousarray(table[names].to_numpy(np.float32)).tobytes())
        return digest.hexdigest()[:16]


_PROBABILITIES = tuple(f"p_{label}" for label in CLASSES)


def view_of(tables: Tables, market: Market, config: Config, delisted: Collection[str] = ()) -> ForecastView:
    """Return what is known at each close of a market with these forecasts; ``delisted`` as in :func:`.read_view`."""
    return read_view(
        market,
        tables.get("direction"),
        tables.get("volatility"),
        horizon=config.direction.horizon,
        volatility_horizon=config.volatility.horizon,
        label=config.direction.label,
        delisted=delisted,
    )


def backtest_view(tables: Tables, market: Market, config: Config, delisted: Collection[str] = ()) -> ForecastView:
    """Return the same of tables that lack rows without an outcome; see :func:`.unscored_rows`."""
    view = view_of(tables, market, config, delisted)
    return with_unscored_rows(view, _unscored(view, config))


def backtest_tables(tables: Tables, market: Market, config: Config) -> Tables:
    """Return tables whose :func:`view_of` is the :func:`backtest_view` of these ones.

    They are in the form in which a bot records forecasts in the journal.
    """
    rows = _unscored(view_of(tables, market, config), config)
    return {kind: with_unscored_records(table, market, rows[kind]) for kind, table in tables.items()}


def _unscored(view: ForecastView, config: Config) -> dict[str, Ints]:
    purge = config.walk_forward.purge or 0
    return unscored_rows(view, max(view.horizon, purge), max(view.volatility_horizon, purge))


def with_class_prior(tables: Tables) -> Tables | None:
    """Return the forecasts with the class prior in place of the model of direction; None where it was not stored."""
    table = tables.get("direction")
    if table is None or not {f"{name}_prior" for name in _PROBABILITIES} <= set(table.columns):
        return None
    prior = table.assign(**{name: table[f"{name}_prior"] for name in _PROBABILITIES})
    return {**tables, "direction": prior}


def with_ewma(tables: Tables, view: ForecastView) -> Tables:
    """Return the forecasts with the EWMA in place of the model of volatility, with intervals as wide as the model's.

    Without a stored EWMA forecast, or without a model of volatility, it is the EWMA variance of the bars of ``view``
    on the dates of the forecasts.
    """
    table = tables.get("volatility")
    if table is None:
        table = tables["direction"][["symbol", "date"]]
    if "forecast_ewma" in table.columns:
        ewma = table["forecast_ewma"].to_numpy(np.float64)
    else:
        column = pd.Index(view.symbols).get_indexer(pd.Index(table["symbol"].astype(str)))
        row = np.searchsorted(view.dates, table["date"].to_numpy().astype(view.dates.dtype))
        ewma = view.ewma_vol[row, column] ** 2
    share = ewma / table["forecast"].to_numpy(np.float64) if "forecast" in table.columns else np.nan
    ends = {name: table[name] * share for name in ("low", "high") if name in table.columns}
    return {**tables, "volatility": table.assign(forecast=ewma, **ends)}

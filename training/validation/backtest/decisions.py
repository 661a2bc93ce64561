"""Targets and price levels of a strategy, aligned with a market: what is decided at each close."""

from __future__ import annotations

import numpy as np
import pandas as pd

from configs.errors import DataError, shortened
from features.bars.arrays import Dates
from features.bars.reading.session_dates import parse_dates
from training.validation.backtest.market import Float, Market


def target_frame(targets: pd.DataFrame | pd.Series, symbol: str | None = None, what: str = "targets") -> pd.DataFrame:
    """Return targets as numbers with text columns and ascending ``datetime64[ns]`` dates.

    A series is of one symbol: ``symbol``, else its name.

    Raises
    ------
    DataError
        The frame is empty, a value is not a finite number or NaN, or a date or symbol occurs twice.
    """
    if isinstance(targets, pd.Series):
        targets = targets.to_frame(symbol or (targets.name if targets.name is not None else "SYMBOL"))
    if not isinstance(targets, pd.DataFrame) or not targets.shape[0] or not targets.shape[1]:
        raise DataError(f"{what} is {type(targets).__name__} without rows; expected a frame (dates × symbols).")
    if "date" in targets.columns and not isinstance(targets.index, pd.DatetimeIndex):
        targets = targets.set_index("date")
    names = [str(name) for name in targets.columns]
    if len(set(names)) < len(names):
        raise DataError(f"{what} has a symbol twice: {shortened(sorted(n for n in set(names) if names.count(n) > 1))}.")
    dates = _dates(targets.index, what)
    try:
        values = targets.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise DataError(
            f"{what} has values that are not numbers; expected shares or weights, NaN for no decision."
        ) from None
    if np.isinf(values.min()) or np.isinf(values.max()) or np.isinf(values).any():
        raise DataError(f"{what} has infinite values; expected shares or weights, NaN for no decision.")
    if len(dates) > 1 and not (dates[1:] > dates[:-1]).all():
        order = np.argsort(dates, kind="stable")
        dates, values = dates[order], values[order]
        repeated = dates[1:][dates[1:] == dates[:-1]]
        if len(repeated):
            raise DataError(f"{what} has {_day(repeated[0])} twice; expected each date once.")
    return pd.DataFrame(values, index=pd.DatetimeIndex(dates), columns=names)


def _dates(index: pd.Index, what: str) -> Dates:
    if isinstance(index, pd.DatetimeIndex) and index.tz is None:
        dates = index.to_numpy().astype("datetime64[ns]", copy=False)
    else:
        dates = parse_dates(pd.Series(index), what)
    if np.isnat(dates).any():
        raise DataError(
            f"{what} has {int(np.isnat(dates).sum())} dates that cannot be read; expected those of the bars."
        )
    return dates


def known_symbols(frame: pd.DataFrame, market: Market, what: str = "targets") -> None:
    """Raise :class:`DataError` if a frame has symbols without bars."""
    unknown = [name for name in frame.columns if name not in market.symbols]
    if unknown:
        raise DataError(
            f"{what} has {shortened(unknown)}, of which there are no bars; expected some of "
            f"{shortened(list(market.symbols))}. Give their bars or remove them."
        )


def decisions_on(frame: pd.DataFrame, market: Market, what: str = "targets") -> Float:
    """Return what is decided at each instant (T, S): NaN where nothing new is, and the old decision stands.

    A decision on a day between the bars of daily data belongs to the close before: it is filled in the same bar.

    Raises
    ------
    DataError
        A date is not one of the market's, or something is to be held of a symbol before its first bar.
    """
    dates = frame.index.to_numpy()
    matrix = frame.to_numpy()
    if len(dates) == len(market.dates) and (dates == market.dates).all():
        aligned = matrix
    else:
        aligned = _placed(dates, matrix, market, what)
    late = np.flatnonzero(market.first_bar > 0)
    for s in late:
        head = aligned[: market.first_bar[s], s]
        early = np.flatnonzero((head != 0) & ~np.isnan(head))
        if len(early) and what == "targets":
            raise DataError(
                f"targets holds {market.symbols[s]} on {_day(market.dates[early[0]])}, before its first bar on "
                f"{_day(market.dates[market.first_bar[s]])}; expected 0 or NaN until then."
            )
    return aligned


def _placed(dates: Dates, matrix: Float, market: Market, what: str) -> Float:
    rows = np.searchsorted(market.dates, dates, side="right") - 1
    outside = (rows < 0) | (dates > market.dates[-1])
    exact = market.dates[np.maximum(rows, 0)] == dates
    # A day's decision belongs after that day's bars: it may have no place between bars of the same day.
    if not (_are_days(market.dates) and _are_days(dates)):
        outside |= ~exact
    if outside.any():
        wrong = dates[outside]
        raise DataError(
            f"{what} has {len(wrong)} dates without a bar (first: {_day(wrong[0])}); expected dates of the bars, which "
            f"are from {_day(market.dates[0])} to {_day(market.dates[-1])}. Remove them."
        )
    aligned = np.full(market.shape, np.nan)
    aligned[rows[exact]] = matrix[exact]
    for i in np.flatnonzero(~exact):
        aligned[rows[i]] = np.where(np.isnan(matrix[i]), aligned[rows[i]], matrix[i])
    return aligned


def _are_days(dates: Dates) -> bool:
    return bool((dates == dates.astype("datetime64[D]")).all())


def levels_on(levels: pd.DataFrame | pd.Series | None, market: Market, symbol: str | None, what: str) -> Float | None:
    """Return price levels (T, S) decided at each instant for the next bar; NaN for none; a missing date keeps the old.

    Raises
    ------
    DataError
        A level is not above 0, or the frame does not fit the market.
    """
    if levels is None:
        return None
    frame = target_frame(levels, symbol, what)
    known_symbols(frame, market, what)
    frame = frame.reindex(columns=list(market.symbols))
    if (frame.to_numpy() <= 0).any():
        raise DataError(f"{what} has a price of 0 or less; expected prices above 0, NaN for none.")
    decisions_on(frame, market, what)
    place = np.searchsorted(frame.index.to_numpy(), market.dates, side="right") - 1
    return np.where(place[:, None] >= 0, frame.to_numpy()[np.maximum(place, 0)], np.nan)


def _day(date: np.datetime64) -> str:
    return str(date.astype("datetime64[m]")).replace("T00:00", "")

"""Bars in whatever form a person has them: a frame, frames by symbol, rows, a path, or the name of a source."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from configs.errors import DataError, require, shortened, shown
from configs.reading import ReadingConfig
from features.bars.merge import between
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars, bars_from_frame
from features.sources import open_source
from features.store.store import Store, open_store

AnyBars: TypeAlias = pd.DataFrame | pd.Series | SymbolBars | Sequence[Any] | Mapping[str, Any] | os.PathLike[str] | str
"""A frame in any common notation (one symbol or many), a series of closes, frames or rows by symbol, a path, bars."""

_Read: TypeAlias = tuple[list[SymbolBars], Quarantine]
_EXPECTED = (
    "expected a data frame with dates and closes, a dict of frames by symbol, a path to a file or folder, or bars of "
    "load_bars"
)
_OPTION = re.compile(r"--(columns|symbol-column|date-format|decimal|timezone|period)\b")
_ROW = ("date", "open", "high", "low", "close", "volume")


def read_bars(
    bars: AnyBars,
    symbol: str | None = None,
    *,
    default_symbol: str = "SYMBOL",
    place: str = "the frame",
    reading: ReadingConfig | None = None,
) -> tuple[list[SymbolBars], Quarantine]:
    """Return the bars of each symbol, and the rows that break a rule of :mod:`features.bars.validation`.

    Parameters
    ----------
    bars
        Any of :data:`AnyBars`. Rows are ``[date, open, high, low, close, volume]``, ``[date, close]``, or dicts.
    symbol
        The symbol of bars that name none, or of those of one symbol.
    default_symbol
        The symbol of bars that name none.
    place
        Where they come from, for messages.
    reading
        What the content cannot decide.

    Raises
    ------
    DataError
        There are none, or they cannot be read; the message says what was given and what is expected.
    """
    with _python_names():
        return _read(bars, symbol, default_symbol, place, reading)


def _read(bars: AnyBars, symbol: str | None, default_symbol: str, place: str, reading: ReadingConfig | None) -> _Read:
    if symbol is not None and not isinstance(symbol, str):
        raise DataError(f"symbol has value {shown(symbol)}; expected a name such as 'AAPL'.")
    if isinstance(bars, (str, os.PathLike)):
        found, quarantine = _of_source(os.fspath(bars), reading=reading)
    elif isinstance(bars, Mapping):
        return _of_mapping(bars, symbol, reading)
    elif isinstance(bars, SymbolBars):
        found, quarantine = [bars], Quarantine.empty()
    elif isinstance(bars, (list, tuple)) and bars and all(isinstance(one, SymbolBars) for one in bars):
        found, quarantine = list(bars), Quarantine.empty()
    else:
        frame = _frame_of(bars, place)
        return bars_from_frame(frame, symbol, place=place, default_symbol=default_symbol, reading=reading)
    if repeated := sorted(name for name, count in Counter(one.symbol for one in found).items() if count > 1):
        raise DataError(f"{place} has {shortened(repeated)} twice; expected each symbol once. Join or rename them.")
    if symbol is None:
        return found, quarantine
    if len(found) > 1:
        raise DataError(f"{len(found)} symbols are given, so the one name {symbol!r} does not apply. Leave it out.")
    return [replace(found[0], symbol=symbol)], quarantine


@contextmanager
def _python_names() -> Iterator[None]:
    """Say in an error that names options of the command line what they are called in Python."""
    try:
        yield
    except DataError as error:
        options = dict.fromkeys(_OPTION.findall(str(error)))
        if not options:
            raise
        fields = ", ".join(f"{option.replace('-', '_')}=…" for option in options)
        raise DataError(f"{error} (in Python: load_bars(…, reading=ReadingConfig({fields})))") from error


def load_bars(
    source: AnyBars = "embedded",
    symbols: Sequence[str] = (),
    *,
    start: date | str | None = None,
    end: date | str | None = None,
    store: Store | str | None = None,
    reading: ReadingConfig | None = None,
) -> pd.DataFrame:
    """Return bars of a source as one frame: ``symbol, date, open, high, low, close, volume``, adjusted, sorted.

    Where the source names splits, ``split`` has new shares per old share, 1 for none.

    Parameters
    ----------
    source
        ``embedded`` (seven real series), ``yahoo``, ``lake`` (the store's), a path to a file, folder or glob, or a
        frame, a dict of frames, and other bars that are at hand (:data:`AnyBars`).
    symbols
        All of the source by default.
    start, end
        The first and the last day, such as ``"2020-12-31"``.
    store
        The store of ``lake``; by default ``FLEETCAST_STORE`` or ``.fleetcast``.
    reading
        What the content of files and frames cannot decide, such as ``ReadingConfig(decimal=",")``.

    Raises
    ------
    DataError
        There is no such source, or it has none of the symbols.

    Warns
    -----
    UserWarning
        The source lacks some symbols, or rows break a rule and are left out.

    Examples
    --------
    >>> bars = load_bars("embedded", ["AAPL", "IBM"])
    >>> bars.groupby("symbol").size().to_dict()
    {'AAPL': 3270, 'IBM': 3270}
    """
    symbols = [symbols] if isinstance(symbols, str) else symbols
    require(symbols, (list, tuple, set, frozenset, pd.Index, pd.Series, np.ndarray), "symbols", "a list of names")
    symbols = [str(symbol) for symbol in symbols]
    first, last = _day(start, "start"), _day(end, "end")
    if isinstance(source, (str, os.PathLike)):
        with _python_names():
            found, quarantine = _of_source(os.fspath(source), symbols, first, last, store, reading)
    else:
        found, quarantine = _chosen(*read_bars(source, place="the source", reading=reading), symbols, first, last)
    warn_of(quarantine, stacklevel=2)
    columns = {
        "symbol": np.repeat([one.symbol for one in found], [len(one) for one in found]),
        "date": np.concatenate([one.dates for one in found]),
        **{name: np.concatenate([getattr(one, name) for one in found]) for name in _ROW[1:]},
    }
    if any(one.split_rows for one in found):
        columns["split"] = np.concatenate([np.ones(len(one)) if one.splits is None else one.splits for one in found])
    return pd.DataFrame(columns)


def _chosen(
    given: list[SymbolBars], quarantine: Quarantine, symbols: Sequence[str], first: date | None, last: date | None
) -> tuple[list[SymbolBars], Quarantine]:
    """Return the bars at hand of these symbols and days, as a source yields them."""
    known = {one.symbol: one for one in given}
    if missing := [name for name in symbols if name not in known]:
        raise DataError(f"the source has no bars of {shortened(missing)}; it has {shortened(list(known))}.")
    found = [between(known[name], first, last) for name in symbols or known]
    if not any(len(one) for one in found):
        raise DataError("the source has no bars of these symbols in the requested period. Check start and end.")
    return [one for one in found if len(one)], quarantine


def warn_of(quarantine: Quarantine, *, stacklevel: int) -> None:
    """Warn that rows are left out, if any are."""
    if lost := quarantine.lost():
        symbols = shortened(sorted(lost))
        text = f"{sum(lost.values())} rows of {symbols} break a rule and are left out ({quarantine.summary()})"
        warnings.warn(text, stacklevel=stacklevel + 1)


def _of_source(
    spec: str,
    symbols: Sequence[str] = (),
    start: date | None = None,
    end: date | None = None,
    store: Store | str | None = None,
    reading: ReadingConfig | None = None,
) -> tuple[list[SymbolBars], Quarantine]:
    source = open_source(spec, open_store(store), reading)
    found = list(source.load(symbols, start, end))
    reasons = [f"{name}: {reason}" for name, reason in source.missing.items()]
    if not found:
        raise DataError(f"{spec!r} has no bars of these symbols ({'; '.join(reasons[:3])}). Check their names.")
    if reasons:
        warnings.warn(f"{spec!r} lacks {len(reasons)} of the symbols ({'; '.join(reasons[:3])})", stacklevel=4)
    return found, source.quarantine


def _day(given: date | str | None, name: str) -> date | None:
    try:
        return None if given is None else pd.Timestamp(given).date()
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} has value {shown(given)}; expected a day, such as '2020-12-31'.") from error


def _of_mapping(frames: Mapping[str, Any], symbol: str | None, reading: ReadingConfig | None) -> _Read:
    if symbol is not None:
        raise DataError(f"a dict names its symbols, so the name {symbol!r} does not apply. Leave it out.")
    if not frames:
        raise DataError(f"no bars are given: the dict is empty; {_EXPECTED}.")
    if {"date", "close"} <= {str(name).lower() for name in frames}:  # the columns of one frame
        return bars_from_frame(pd.DataFrame(dict(frames)), default_symbol="SYMBOL", reading=reading)
    found, parts = list[SymbolBars](), list[Quarantine]()
    for name, given in frames.items():
        if not isinstance(name, str):
            raise DataError(f"a dict of bars has the key {shown(name)}; expected symbols, such as 'AAPL'.")
        bars, quarantine = _read(given, name, "SYMBOL", f"the bars of {name!r}", reading)
        found += bars
        parts.append(quarantine)
    return found, Quarantine.concat(parts)


def _frame_of(bars: Any, place: str) -> pd.DataFrame:
    """Return a frame of a frame, of a series of closes, or of rows."""
    if isinstance(bars, pd.DataFrame):
        return bars
    if isinstance(bars, pd.Series):
        return bars.rename("close").to_frame()
    if isinstance(bars, (list, tuple)):
        if not bars:
            raise DataError(f"no bars are given; {_EXPECTED}.")
        if all(isinstance(row, Mapping) for row in bars):
            return pd.DataFrame(list(bars))
        widths = {len(row) if isinstance(row, (list, tuple)) else 0 for row in bars}
        if len(widths) == 1 and (width := widths.pop()) in (2, 5, 6):
            names = _ROW[:width] if width > 2 else ("date", "close")
            return pd.DataFrame([list(row) for row in bars], columns=list(names))
        if all(isinstance(one, pd.DataFrame) for one in bars):
            raise DataError(f"{place} is a list of {len(bars)} frames without names. Give a dict: {{'AAPL': frame}}.")
    kind = "None" if bars is None else f"a {type(bars).__name__}"
    raise DataError(f"{place} is {kind}; {_EXPECTED}.")

"""The groups of alternative series: which group a series is in, how it becomes scale-free, and its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import Literal

from configs.feature_groups import AlternativeGroup, group_of_column
from features.alternative.text.windows import text_columns
from features.alternative.vintages import SUFFIXES

Kind = Literal["level", "price", "rate"]

AGE = "age"
EVENT_SUFFIXES = ("next_1", "next_5", "days_until", "days_since")

_TEXT_SUFFIXES = [column.removeprefix("_") for column in text_columns("")]
_ALL_SUFFIXES = sorted({AGE, *EVENT_SUFFIXES, *chain(*SUFFIXES.values()), *_TEXT_SUFFIXES}, key=len, reverse=True)
_USUALLY_PER_SYMBOL = ("sentiment", "options")
_IMPLIED_VOL = re.compile(r"(iv|atm_iv|implied_vol)\d*")
_OPTIONS = re.compile(
    _IMPLIED_VOL.pattern + r"|(skew|term_slope|put_call)\w*|(put|call)_(volume|open_interest|oi)|(chain|iv)_quotes"
)
_LEVEL = re.compile(r"\^?v(ix|xn)\w*|iv\w*|atm_iv\w*|implied_vol\w*|put_call\w*|(put|call)_\w+")
_PRICE = re.compile(
    r"cpi\w*|pce\w*|gdp\w*|gnp|payems|walcl|icsa|wti\w*|brent\w*|dcoil\w*|m1|m2|oilprice|henry_hub|permit|dgorder|retail\w*"
)


def group_of(series: str) -> AlternativeGroup:
    """Return the group of a numeric series by its name: ``options``, ``weather`` or ``macro``.

    Examples
    --------
    >>> group_of("iv30"), group_of("weather_chicago_temperature"), group_of("CPIAUCSL")
    ('options', 'weather', 'macro')
    """
    name = series.lower()
    if name.startswith("weather"):
        return "weather"
    return "options" if _OPTIONS.fullmatch(name) else "macro"


def is_implied_volatility(series: str) -> bool:
    """Whether a series is an annualised implied volatility, which is a fraction: 0.25 is 25 %."""
    return _IMPLIED_VOL.fullmatch(series.lower()) is not None


def kind_of(series: str) -> Kind:
    """Return how a series becomes scale-free by its name; differences for names that are not known.

    Examples
    --------
    >>> kind_of("iv30"), kind_of("CPIAUCSL"), kind_of("DGS10")
    ('level', 'price', 'rate')
    """
    name = series.lower()
    if _LEVEL.fullmatch(name):
        return "level"
    return "price" if _PRICE.fullmatch(name) else "rate"


def slug_of(name: str) -> str:
    """Return a name in lower case, with underscores for everything but letters and digits."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def prefix_of(group: AlternativeGroup, name: str, *, is_market: bool) -> str:
    """Return what the columns of a series begin with.

    Market-wide sentiment and options are ``options_market_…``, other series of single symbols ``macro_own_…``.
    """
    per_symbol = group in _USUALLY_PER_SYMBOL
    scope = "market_" if is_market and per_symbol else "" if is_market or per_symbol else "own_"
    slug = slug_of(name).removeprefix(f"{group}_")
    return f"{group}_{scope}{slug}"


def column_of(table: str, name: str) -> str:
    """Return the beginning of the columns of a series or an event of one symbol: names that share it are one feature.

    Examples
    --------
    >>> column_of("series", "VIX") == column_of("series", "^vix")
    True
    """
    return prefix_of("events" if table == "events" else group_of(name), name, is_market=True)


def series_columns_of(prefix: str, kind: Kind) -> tuple[str, ...]:
    """Return the columns of a series: its features and the age of its newest value in days."""
    return tuple(f"{prefix}_{suffix}" for suffix in (*SUFFIXES[kind], AGE))


def sources_of(columns: Sequence[str]) -> dict[str, list[int]]:
    """Return the series of alternative data among the columns of a model, and the positions of their columns.

    Examples
    --------
    >>> sources_of(["rsi_20", "options_iv30_log", "options_iv30_age", "macro_cpi_zscore"])
    {'options_iv30': [1, 2], 'macro_cpi': [3]}
    """
    found: dict[str, list[int]] = {}
    for position, column in enumerate(columns):
        if group_of_column(column) is not None:
            suffix = next((one for one in _ALL_SUFFIXES if column.endswith(f"_{one}")), "")
            found.setdefault(column.removesuffix(f"_{suffix}"), []).append(position)
    return found

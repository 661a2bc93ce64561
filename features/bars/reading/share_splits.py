"""Splits: the column of new shares per old share, however it is written, and the factors that stand for one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.bars.arrays import Codes, Dates, Float
from features.bars.reading.numbers import is_text

_NONE = frozenset("- -- --- . n/a #n/a na nan none null <na> nat – — false no".split()) | {""}
_PAIR = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:[:/]|-?\s*(?:for|zu|pour|por|per|na|на)\s*-?)\s*(\d+(?:[.,]\d+)?)")
_NUMBER = re.compile(r"\+?(\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?")
_MOST = 0.02  # of the rows: factors of single days are rarer, those that accumulate are not


@dataclass(frozen=True, slots=True)
class ShareSplits:
    """New shares per old share by row (N,), 1.0 for none, and the line that says what was found."""

    ratios: Float | None
    line: str


def parse_splits(values: pd.Series, codes: Codes, dates: Dates, name: str) -> ShareSplits:
    """Return the splits of a column: ``2.0``, ``2:1``, ``1/10`` or ``3-for-2``; 0, 1 and nothing for none.

    A ratio that several bars in a row have (the hours of a day, or a factor that accumulates) is that of the first.
    """
    ratios = _ratios(values)
    wrong = np.isnan(ratios)
    if wrong.any():
        shown = repr(str(values.iloc[int(np.argmax(wrong))])[:40])
        if not (~wrong & (ratios != 1.0)).any():
            return ShareSplits(None, f"splits: column {name!r} has no ratios (first: {shown}), not used")
    found = _first_of_each_run(np.where(wrong, 1.0, ratios), codes, dates)
    count = int((found != 1.0).sum())
    lines = [f"splits: {count} in {name!r}"] if count else []
    lines += [f"{int(wrong.sum())} cannot be read (first: {shown})"] if wrong.any() else []
    return ShareSplits(found if count else None, ", ".join(lines))


def splits_of_factors(factors: Float, codes: Codes, dates: Dates) -> Float | None:
    """Return the splits of a column of factors that single days have (J-Quants: 0.2 on the day of a 5:1 split).

    None if the factors accumulate, so that those of earlier prices adjust them.
    """
    is_factor = np.isfinite(factors) & (factors > 0.0) & (factors != 1.0)
    if not is_factor.any() or is_factor.sum() > max(_MOST * len(factors), 1.0):
        return None
    order = np.lexsort((dates, codes))
    sorted_codes, rows = codes[order], is_factor[order]
    neighbours = rows[1:] & rows[:-1] & (sorted_codes[1:] == sorted_codes[:-1])
    first = rows & np.append(True, sorted_codes[1:] != sorted_codes[:-1])
    return (
        None if neighbours.any() or first.any() else np.where(is_factor, 1.0 / np.where(is_factor, factors, 1.0), 1.0)
    )


def _ratios(values: pd.Series) -> Float:
    """Return the ratio of each row, 1.0 for none, NaN for what is none."""
    if not is_text(values):
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        ratios = np.where(np.isnan(numbers) | (numbers == 0.0), 1.0, numbers)
        return np.where((ratios > 0.0) & np.isfinite(ratios), ratios, np.nan)
    codes, distinct = pd.factorize(np.asarray(values, object))
    return np.append(np.array([_ratio(value) for value in distinct], np.float64), 1.0)[codes]


def _ratio(value: object) -> float:
    text = str(value).strip().casefold().removesuffix("split").strip()
    if text in _NONE:
        return 1.0
    if match := _PAIR.fullmatch(text):
        new, old = (float(part.replace(",", ".")) for part in match.groups())
        return new / old if new > 0.0 and old > 0.0 else (1.0 if new == old == 0.0 else np.nan)
    if _NUMBER.fullmatch(text) is None:
        return float("nan")
    return float(text.replace(",", ".")) or 1.0


def _first_of_each_run(ratios: Float, codes: Codes, dates: Dates) -> Float:
    rows = np.flatnonzero(ratios != 1.0)
    if len(rows) < 2:
        return ratios
    order = np.lexsort((dates, codes))
    values = ratios[order]
    again = np.append(False, (values[1:] == values[:-1]) & (codes[order][1:] == codes[order][:-1]))
    same_day = np.append(False, dates[order][1:] == dates[order][:-1])
    out = ratios.copy()
    out[order[again & ~same_day]] = 1.0
    return out

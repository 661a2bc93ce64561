"""Checks the rules of :mod:`features.bars.quarantine` on columns, and adjusts prices."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError
from features.bars.arrays import PRICES, Codes, Dates, Float, Mask
from features.bars.latest import latest_date
from features.bars.placeholders import repair_opens, without_placeholders
from features.bars.quarantine import RULES, Quarantine
from features.bars.reading.parsed import ParsedTable
from features.bars.stale import stale_rows

# Larger than the rounding of float32 (6e-8 of the value) and of vendors (to cents).
_TOLERANCE = 1e-4
_JUMP = 3.0  # of the log close: a factor of 20
_ORDER = tuple(RULES)


@dataclass(frozen=True, slots=True)
class CheckedBars:
    """Valid bars of S symbols, sorted by symbol and date; symbol *i* has the rows ``offsets[i]:offsets[i + 1]``.

    ``names`` (S,), ``offsets`` (S + 1,), ``has_range`` and ``has_volume`` (S,); the other arrays (rows,).
    """

    names: list[str]
    offsets: npt.NDArray[np.int64]
    dates: Dates
    prices: dict[str, Float]
    volume: Float
    has_range: Mask
    has_volume: Mask
    splits: Float | None = None


def check(parsed: ParsedTable, place: str = "the frame", now: datetime | None = None) -> tuple[CheckedBars, Quarantine]:
    """Apply every rule to parsed rows, adjust the prices, and sort the rows; ``now`` (aware) is by default the clock's.

    With ``adj_close`` every price is multiplied by ``adj_close / close`` and volume divided by it: ``close × volume``
    remains the money traded, and a split causes no jump in volume. With ``adj_factor`` (adjusted over raw price, for
    prices that are adjusted already and volume that is not) only volume is divided.

    Raises
    ------
    DataError
        Every row breaks a rule.
    """
    codes, names, dates = parsed.codes, parsed.names, parsed.dates
    given, unparsable = parsed.given, parsed.unparsable
    close_only = _close_only(given, unparsable, codes, len(names))
    missing_open = repair_opens(given, close_only, codes, dates)
    broken = _row_rules(dates, given, unparsable, close_only, parsed.unfinished, latest_date(now or datetime.now(UTC)))
    prices, volume, missing_volume, has_volume = _adjusted(given, codes, close_only, len(names))
    with np.errstate(invalid="ignore"):
        prices["high"] = np.maximum(prices["high"], np.maximum(prices["open"], prices["close"]))
        prices["low"] = np.minimum(prices["low"], np.minimum(prices["open"], prices["close"]))

    rows = _sorted(np.flatnonzero(broken < 0), codes, dates)
    rows = _unique(rows, codes, dates, [*(prices[name] for name in PRICES), volume], broken)
    rows = without_placeholders(rows, codes, dates, broken)
    rows = _without_jumps(rows, codes, prices["close"], broken)
    if not len(rows):
        rule = _ORDER[int(np.bincount(broken[broken >= 0]).argmax())]
        wrong = next(((name, mask) for name, mask in unparsable.items() if mask.any()), None)
        shown = (
            f"; first: {wrong[0]} {str(parsed.table[wrong[0]].iloc[int(np.argmax(wrong[1]))])[:40]!r}" if wrong else ""
        )
        raise DataError(
            f"{place}: all {len(dates)} rows break a rule, most of them {rule!r} ({RULES[rule]}{shown}). "
            "Correct the data."
        )

    present, starts = np.unique(codes[rows], return_index=True)
    offsets = np.append(starts, len(rows)).astype(np.int64)
    checked = CheckedBars(
        names=[names[code] for code in present],
        offsets=offsets,
        dates=dates[rows],
        prices={name: values[rows] for name, values in prices.items()},
        volume=volume[rows],
        has_range=np.logical_or.reduceat(prices["high"][rows] > prices["low"][rows], starts),
        has_volume=has_volume[present] & np.logical_or.reduceat(volume[rows] > 0, starts),
        splits=_splits_of_bars(parsed, codes[rows], dates[rows]),
    )
    is_stale = stale_rows(checked.prices, checked.volume, offsets) & np.repeat(checked.has_volume, np.diff(offsets))
    kept = {"missing_volume": missing_volume[rows], "missing_open": missing_open[rows], "stale_price": is_stale}
    for rule, here in kept.items():
        broken[rows[here]] = _ORDER.index(rule)
    return checked, _quarantine(parsed, broken)


def _close_only(given: dict[str, Float], unparsable: dict[str, Mask], codes: Codes, symbols: int) -> Mask:
    """Return the rows of symbols without any open, high or low."""
    if "high" not in given:
        return np.ones(len(codes), bool)
    has_value = np.zeros(len(codes), bool)
    for name in ("open", "high", "low"):
        has_value |= ~np.isnan(given[name]) | unparsable[name]
    return np.asarray(np.bincount(codes[has_value], minlength=symbols) == 0)[codes]


def _row_rules(
    dates: Dates,
    given: dict[str, Float],
    unparsable: dict[str, Mask],
    close_only: Mask,
    unfinished: Mask,
    latest: np.datetime64,
) -> npt.NDArray[np.int8]:
    """Return the position in ``RULES`` of the first rule that each row breaks, −1 for none."""
    broken = np.full(len(dates), -1, np.int8)
    none = np.zeros(len(dates), bool)
    flags: dict[str, Mask] = defaultdict(none.copy)
    flags["unparsable_date"] |= np.isnat(dates)
    flags["future_date"] |= dates > latest
    flags["unfinished_bar"] |= unfinished
    for wrong in unparsable.values():
        flags["unparsable_number"] |= wrong
    for name in (*PRICES, "adj_close", "adj_factor"):
        if name not in given:
            continue
        values, here = given[name], ~close_only if name in ("open", "high", "low") else True
        flags["missing_price"] |= np.isnan(values) & here
        flags["non_finite_price"] |= np.isinf(values) & here
        flags["non_positive_price"] |= (values <= 0) & here
    if "high" in given:
        body_high, body_low = np.maximum(given["open"], given["close"]), np.minimum(given["open"], given["close"])
        flags["high_low_violation"] |= (given["high"] * (1 + _TOLERANCE) < body_high) & ~close_only
        flags["high_low_violation"] |= (given["low"] * (1 - _TOLERANCE) > body_low) & ~close_only
    if "volume" in given:
        flags["negative_volume"] |= (given["volume"] < 0) | np.isinf(given["volume"])
    for rule in sorted(flags, key=_ORDER.index, reverse=True):
        broken[flags[rule]] = _ORDER.index(rule)  # of several rules the first is written last
    return broken


def _adjusted(
    given: dict[str, Float], codes: Codes, close_only: Mask, symbols: int
) -> tuple[dict[str, Float], Float, Mask, Mask]:
    """Return adjusted prices and volume, the rows without volume, and the symbols that have any volume."""
    prices = {name: np.where(close_only, given["close"], given.get(name, given["close"])) for name in PRICES}
    volume = given.get("volume", np.zeros(len(codes)))
    has_volume = np.bincount(codes[volume > 0], minlength=symbols) > 0
    missing = np.isnan(volume) & has_volume[codes]
    volume = np.where(np.isnan(volume), 0.0, volume)
    with np.errstate(all="ignore"):
        if "adj_close" in given:
            factor = given["adj_close"] / given["close"]
            prices = {name: values * factor for name, values in prices.items()}
            prices["close"] = given["adj_close"].copy()
            volume = volume / factor
        elif "adj_factor" in given:
            volume = volume / given["adj_factor"]
    return prices, volume, missing, has_volume


def _sorted(rows: Codes, codes: Codes, dates: Dates) -> Codes:
    step, days = np.diff(codes[rows]), np.diff(dates[rows])
    if ((step > 0) | ((step == 0) & (days >= np.timedelta64(0)))).all():
        return rows
    return rows[np.lexsort((dates[rows], codes[rows]))]


def _unique(rows: Codes, codes: Codes, dates: Dates, values: list[Float], broken: npt.NDArray[np.int8]) -> Codes:
    """Drop all rows of a symbol and date but the first."""
    repeated = np.zeros(len(rows), bool)
    repeated[1:] = (codes[rows][1:] == codes[rows][:-1]) & (dates[rows][1:] == dates[rows][:-1])
    if not repeated.any():
        return rows
    first = np.maximum.accumulate(np.where(repeated, 0, np.arange(len(rows))))
    same = np.ones(len(rows), bool)
    for column in values:
        same &= column[rows] == column[rows[first]]
    broken[rows[repeated & same]] = _ORDER.index("repeated_row")
    broken[rows[repeated & ~same]] = _ORDER.index("duplicate_date")
    return rows[~repeated]


def _without_jumps(rows: Codes, codes: Codes, close: Float, broken: npt.NDArray[np.int8]) -> Codes:
    """Drop single closes that are wrong by a factor (pence for pounds, a lost decimal point)."""
    if len(rows) < 3:
        return rows
    moves = np.diff(np.log(close[rows]))
    same = codes[rows][2:] == codes[rows][:-2]
    out, back = moves[:-1], moves[1:]
    jump = np.zeros(len(rows), bool)
    jump[1:-1] = same & (np.abs(out) > _JUMP) & (np.abs(back) > _JUMP) & (np.abs(out + back) < 1.0)
    jump[1:] &= ~jump[:-1]
    broken[rows[jump]] = _ORDER.index("extreme_jump")
    return rows[~jump]


def _splits_of_bars(parsed: ParsedTable, codes: Codes, dates: Dates) -> Float | None:
    """Return the splits of the bars that are kept; that of a row that is left out is of the symbol's next bar."""
    if parsed.splits is None:
        return None
    splits = np.ones(len(codes))
    rows = np.flatnonzero((parsed.splits != 1.0) & ~np.isnat(parsed.dates))
    named = {(int(parsed.codes[row]), parsed.dates[row]): parsed.splits[row] for row in rows[::-1].tolist()}
    for (code, date), ratio in named.items():
        low, high = np.searchsorted(codes, (code, code + 1))
        row = low + np.searchsorted(dates[low:high], date)
        if row < high:
            splits[row] *= ratio
    return splits


def _quarantine(parsed: ParsedTable, broken: npt.NDArray[np.int8]) -> Quarantine:
    rows = np.flatnonzero(broken >= 0)
    if not len(rows):
        return Quarantine.empty()
    dates, given = parsed.dates, parsed.given
    text = np.full(len(rows), "", dtype=object)
    for field, wrong in (("date", np.isnat(dates)), *parsed.unparsable.items()):
        positions = np.flatnonzero(wrong[rows])
        for position, value in zip(positions, parsed.table[field].iloc[rows[positions]], strict=True):
            text[position] += f"{'; ' if text[position] else ''}{field}={str(value)[:60]!r}"
    missing = np.full(len(broken), np.nan)
    values = {name: given.get(name, missing)[rows] for name in (*PRICES, "volume")}
    symbol = np.array(parsed.names, dtype=object)[parsed.codes[rows]]
    rule = np.array(_ORDER, dtype=object)[broken[rows]]
    frame = pd.DataFrame({"symbol": symbol, "date": dates[rows], "rule": rule, **values, "given": text})
    return Quarantine(frame.astype({"symbol": "str", "rule": "str", "given": "str", "date": "datetime64[ns]"}))

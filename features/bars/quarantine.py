"""The rules for bars, by name, and the rows that break one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import pandas as pd

from features.bars.arrays import PRICES

RULES: dict[str, str] = {
    "unparsable_date": "the date is missing or cannot be read",
    "future_date": "the date has not begun in any time zone: check the source, --date-format and this computer's clock",
    "ragged_row": "a line with more or fewer cells than the header",
    "unfinished_bar": "a time of day in a series of daily bars: the session was not over",
    "unparsable_number": "a price or the volume is not a number",
    "missing_price": "a price is blank or NaN",
    "non_finite_price": "a price is infinite",
    "non_positive_price": "a price is zero or negative",
    "high_low_violation": "high is below low, or open or close is outside low … high, by more than rounding",
    "negative_volume": "the volume is negative or infinite",
    "duplicate_date": "a second, different bar of the same symbol and date; the first is kept",
    "repeated_row": "an identical copy of a bar; one is kept (harmless)",
    "extreme_jump": "the close jumps more than 20-fold and returns on the next bar",
    "spike": "open, high, low or close is off by a factor and returns within five bars (data.on_steps)",
    "placeholder_date": "a date such as 1899-12-30 or 1970-01-01, more than a year before the symbol's other bars",
    "missing_volume": "the volume is blank: the bar is kept with volume 0 (harmless)",
    "missing_open": "only the open is 0: the bar is kept with the close before as its open (harmless)",
    "stale_price": "one of five or more bars without volume that repeat a price: the bar is kept (harmless)",
}
KEPT = frozenset({"missing_volume", "missing_open", "stale_price"})
HARMLESS = KEPT | {"repeated_row"}
COLUMNS = ("symbol", "date", "rule", "open", "high", "low", "close", "volume", "given")


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Rows that break a rule.

    ``frame`` has the columns ``symbol, date, rule, open, high, low, close, volume, given``: prices before adjustment,
    and in ``given`` the text of a date or number that could not be read. Rules in ``HARMLESS`` lose no information.
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def counts(self) -> dict[str, int]:
        """Return the number of rows by rule, in the order of ``RULES``."""
        return count_by_rule(self.frame, RULES)

    def first_of(self, rule: str) -> str:
        """Return the earliest row of a rule as ``AAPL 2026-01-05``, or with its text where the date cannot be read."""
        rows = self.frame[self.frame["rule"] == rule].sort_values("date", kind="stable")
        row = rows.iloc[0]
        when = row["given"] if pd.isna(row["date"]) else str(row["date"]).removesuffix(" 00:00:00")
        return f"{row['symbol']} {when}".strip()

    def summary(self) -> str:
        """Return the counts by rule as text, harmless ones last: ``spike 2; nothing lost by repeated_row 10``."""
        counts = self.counts()
        lost, harmless = (
            ", ".join(f"{rule} {count}" for rule, count in counts.items() if (rule in HARMLESS) is kept)
            for kept in (False, True)
        )
        return "; ".join(filter(None, (lost, f"nothing lost by {harmless}" if harmless else "")))

    def lost(self) -> dict[str, int]:
        """Return the number of bars lost by symbol, without harmless rows."""
        rows = self.frame[~self.frame["rule"].isin(HARMLESS)]
        return {str(name): int(count) for name, count in rows["symbol"].value_counts(sort=False).items()}

    def of(self, symbol: str) -> Quarantine:
        """Return the rows of one symbol."""
        return Quarantine(self.frame[self.frame["symbol"] == symbol].reset_index(drop=True))

    @staticmethod
    def empty() -> Quarantine:
        """Return a quarantine without rows."""
        return Quarantine(_empty_frame().copy(deep=False))

    @staticmethod
    def concat(parts: Iterable[Quarantine]) -> Quarantine:
        """Return all rows of these parts, in order."""
        frames = [part.frame for part in parts if len(part)]
        return Quarantine(pd.concat(frames, ignore_index=True)) if frames else Quarantine.empty()


def count_by_rule(rows: pd.DataFrame, rules: Iterable[str]) -> dict[str, int]:
    """Return the number of rows by their column ``rule``, in the order of ``rules``; only rules that occur."""
    counts = rows["rule"].value_counts()
    return {rule: int(counts[rule]) for rule in rules if rule in counts.index}


@cache
def _empty_frame() -> pd.DataFrame:
    dtypes = {"date": "datetime64[ns]", **dict.fromkeys((*PRICES, "volume"), "float64")}
    return pd.DataFrame({name: pd.Series(dtype=dtypes.get(name, "str")) for name in COLUMNS})

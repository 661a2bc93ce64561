"""Reasons why a quote of an option chain is not used, as small integers; 0 is a quote that is used."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

REASONS = {
    "superseded": "a newer quote of the same contract is in the snapshot",
    "stale": "the quote is over 15 minutes older than the newest of its snapshot",
    "no_quote": "bid or ask is missing or not a number",
    "zero_bid": "the bid is zero or negative",
    "crossed": "the ask is below the bid",
    "wide_spread": "the spread is over half the mid",
    "expired": "the option has expired, or its expiry is over 20 years ahead",
    "no_forward": "its expiry has neither a pair of call and put at one strike, nor a price of the underlying",
    "off_parity": "call and put, or the forward and the underlying, contradict put-call parity (adjusted contracts)",
    "in_the_money": "the option is in the money; the one out of the money at its strike is used",
    "below_intrinsic": "the price is not above the discounted intrinsic value",
    "above_bound": "the price is not below that of the underlying, or of the strike for a put",
}
_CODES = {name: code for code, name in enumerate(REASONS, 1)}
SUPERSEDED = _CODES["superseded"]


def mark(codes: npt.NDArray[np.int8], rows: npt.NDArray[np.bool_], reason: str) -> None:
    """Give these rows a reason, in place, except those that have one."""
    codes[rows & (codes == 0)] = _CODES[reason]


def count_reasons(codes: npt.NDArray[np.int8]) -> dict[str, int]:
    """Return the number of rows by reason, in the order of ``REASONS``; only reasons that occur."""
    counts = np.bincount(codes, minlength=len(REASONS) + 1)[1:]
    return {name: int(count) for name, count in zip(REASONS, counts, strict=True) if count}

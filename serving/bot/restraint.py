"""What protections leave of the units that the strategy wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from serving.bot.protections import ORDERS, Verdict
from training.strategy.series import Float, Mask

TEXT: Mapping[str, str] = {
    "kill_switch": "protection: kill switch",
    "daily_loss": "protection: daily loss",
    "drawdown": "protection: drawdown",
    "stops": "protection: stop losses",
    "max_orders": "protection: orders of a scan",
    "ruin": "protection: the account is ruined",
}
"""The reason that signals give, by protection."""


class Restrained(NamedTuple):
    """Units to hold (S,), and the reasons by column where they are not those that were wanted."""

    wanted: Float
    reasons: Mapping[int, tuple[str, ...]]
    dropped: int


def restrain(wanted: Float, position: Float, worth: Float, verdict: Verdict, max_orders: int | None) -> Restrained:
    """Return what may be held of what is wanted (S,), given positions (S,) and what a unit is worth (S,).

    While trading is stopped, a position may be reduced only, or is closed. Of the orders that open or enlarge a
    position, the ``max_orders`` of the highest value are kept.
    """
    reasons: dict[int, tuple[str, ...]] = {}
    allowed, dropped = wanted, 0
    if verdict.stopped:
        allowed = np.zeros_like(wanted) if verdict.is_closing else _reduced(wanted, position)
        texts = tuple(TEXT[name] for name in verdict.stopped)
        reasons |= {int(s): texts for s in np.flatnonzero(allowed != wanted)}
    if max_orders is not None:
        grows = _grows(allowed, position)
        columns = np.flatnonzero(grows)
        if len(columns) > max_orders:
            size = np.abs(allowed - position)[columns] * worth[columns]
            dropped_columns = columns[np.argsort(-size, kind="stable")[max_orders:]]
            reduced = _reduced(allowed, position)
            allowed = allowed.copy()
            allowed[dropped_columns] = reduced[dropped_columns]
            dropped = len(dropped_columns)
            reasons |= {int(s): (*reasons.get(int(s), ()), TEXT[ORDERS]) for s in dropped_columns}
    return Restrained(allowed, reasons, dropped)


def _reduced(wanted: Float, position: Float) -> Float:
    """Return the nearest units between nothing and the position."""
    return np.clip(wanted, np.minimum(position, 0.0), np.maximum(position, 0.0))


def _grows(wanted: Float, position: Float) -> Mask:
    return np.asarray(_reduced(wanted, position) != wanted)

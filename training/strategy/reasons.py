"""Why a position is 0."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.uint16]


class Reason(IntFlag):
    """Reasons for a position of 0; several can apply."""

    NO_BAR = 1
    NO_FORECAST = 2
    STALE = 4
    CONSTANT = 8
    STRATEGY = 16
    CONFIDENCE = 32
    STRENGTH = 64
    COSTS = 128
    SKILL = 256
    SHORT = 512
    REGIME = 1024
    STOPPED = 2048
    LIMITS = 4096


TEXT = {
    Reason.NO_BAR: "no bar",
    Reason.NO_FORECAST: "no forecast",
    Reason.STALE: "stale forecast",
    Reason.CONSTANT: "constant price",
    Reason.STRATEGY: "not chosen by the strategy",
    Reason.CONFIDENCE: "confidence",
    Reason.STRENGTH: "strength",
    Reason.COSTS: "costs",
    Reason.SKILL: "unproven skill",
    Reason.SHORT: "short positions are off",
    Reason.REGIME: "regime",
    Reason.STOPPED: "stopped out",
    Reason.LIMITS: "limits of the portfolio",
}


def flagged(where: npt.NDArray[np.bool_], reason: Reason) -> Flags:
    """Return the reason where it applies, 0 elsewhere; the shape of ``where``."""
    return np.where(where, np.uint16(reason), np.uint16(0))


def texts(flags: int) -> tuple[str, ...]:
    """Return the reasons in words; empty for 0."""
    return tuple(text for reason, text in TEXT.items() if flags & reason)

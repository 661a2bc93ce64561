"""Protections: what stops the bot from opening positions, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from configs.bot import ProtectionConfig

RUIN = "ruin"
KILL_SWITCH, DAILY_LOSS, DRAWDOWN, STOPS, ORDERS = "kill_switch", "daily_loss", "drawdown", "stops", "max_orders"


class Close(NamedTuple):
    """What protections look at, at a close: the day of the bars, equity, and the stop losses of the bar."""

    day: str
    equity: float
    stop_losses: int


class Verdict(NamedTuple):
    """Which protections stop trading, each with a sentence, and whether positions are closed."""

    stopped: Mapping[str, str]
    is_closing: bool


@dataclass(frozen=True, slots=True)
class ProtectionState:
    """What protections carry from step to step.

    Parameters
    ----------
    day, days
        Day of the newest bars, and the number of days with bars so far.
    opening, equity
        Equity at the last close of the day before, and at the newest close.
    peak
        Highest equity since trading went on after a drawdown; ``highest`` is that of all closes.
    loss_on
        The number of the day on which the daily loss was exceeded; 0 for none.
    resumes
        Of ``drawdown`` and ``stops`` while they stop trading: the number of the day on which it goes on.
    stop_losses
        Numbers of the days of recent stop losses.
    active
        Protections that acted at the newest close.
    """

    equity: float
    opening: float
    peak: float
    highest: float
    day: str = ""
    days: int = 0
    loss_on: int = 0
    resumes: Mapping[str, int] | None = None
    stop_losses: tuple[int, ...] = ()
    active: tuple[str, ...] = ()

    @classmethod
    def of(cls, cash: float) -> Self:
        """Return that of a new account."""
        return cls(cash, cash, cash, cash)

    @property
    def daily_return(self) -> float:
        """Return since the day before; 0 without equity then."""
        return self.equity / self.opening - 1.0 if self.opening > 0.0 else 0.0

    @property
    def drawdown(self) -> float:
        """Loss from the highest equity of all closes, at most 0."""
        return self.equity / self.highest - 1.0

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return found | {
            "resumes": dict(self.resumes or {}),
            "stop_losses": list(self.stop_losses),
            "active": list(self.active),
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return what :meth:`as_json` described."""
        return cls(**{**stored, "stop_losses": tuple(stored["stop_losses"]), "active": tuple(stored["active"])})


def protect(
    state: ProtectionState, close: Close, settings: ProtectionConfig, kill_switch: str | None
) -> tuple[ProtectionState, Verdict]:
    """Return the state after a close, and what stops trading until the next one.

    Parameters
    ----------
    kill_switch
        The content of the kill switch's file; None if there is none.
    """
    state = _at(state, close)
    stopped: dict[str, str] = {}
    is_closing = settings.action == "close"
    if kill_switch is not None:
        closes = kill_switch.strip().lower() == "close"
        stopped[KILL_SWITCH] = "the file of the kill switch exists" + (" and says close" if closes else "")
    state, resumes = _resumed(state)
    if settings.daily_loss is not None:
        if state.daily_return <= -settings.daily_loss:
            state = replace(state, loss_on=state.days)
        if state.loss_on == state.days:
            stopped[DAILY_LOSS] = (
                f"loss of {settings.daily_loss:.3g} of the equity of the day before, until the next day"
            )
    if settings.drawdown is not None:
        loss = state.equity / state.peak - 1.0
        if DRAWDOWN not in resumes and loss <= -settings.drawdown:
            resumes[DRAWDOWN] = state.days + settings.cool_down
        if DRAWDOWN in resumes:
            stopped[DRAWDOWN] = f"loss of {settings.drawdown:.3g} of the highest equity, for {settings.cool_down} days"
    if settings.stops is not None:
        recent = tuple(day for day in state.stop_losses if day > state.days - settings.stops_days)
        if STOPS not in resumes and len(recent) >= settings.stops:
            resumes[STOPS], recent = state.days + settings.cool_down, ()
        state = replace(state, stop_losses=recent)
        if STOPS in resumes:
            stopped[STOPS] = (
                f"{settings.stops} stop losses in {settings.stops_days} days, for {settings.cool_down} days"
            )
    else:
        state = replace(state, stop_losses=())
    if state.equity <= 0.0:
        stopped[RUIN] = "the account has lost everything"
    closing = RUIN in stopped or (KILL_SWITCH in stopped and stopped[KILL_SWITCH].endswith("close"))
    by_action = is_closing and bool(stopped.keys() - {KILL_SWITCH})
    return replace(state, resumes=resumes), Verdict(stopped, closing or by_action)


def _at(state: ProtectionState, close: Close) -> ProtectionState:
    """Return the state that knows a close."""
    if close.day != state.day:
        state = replace(state, day=close.day, days=state.days + 1, opening=state.equity)
    return replace(
        state,
        equity=close.equity,
        peak=max(state.peak, close.equity),
        highest=max(state.highest, close.equity),
        stop_losses=state.stop_losses + (state.days,) * close.stop_losses,
    )


def _resumed(state: ProtectionState) -> tuple[ProtectionState, dict[str, int]]:
    """Return the state, and which protections still stop trading; after a drawdown the peak is the equity now."""
    resumes = {name: day for name, day in (state.resumes or {}).items() if state.days < day}
    if DRAWDOWN in (state.resumes or {}) and DRAWDOWN not in resumes:
        state = replace(state, peak=state.equity)
    return state, resumes

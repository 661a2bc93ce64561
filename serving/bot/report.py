"""A step's signals, positions, account, alerts and notes, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from serving.bot.basis import Rebased
from serving.bot.closing import AtClose
from serving.bot.orders import When, is_done
from serving.bot.protections import ORDERS, Verdict
from serving.bot.restraint import TEXT, Restrained
from serving.bot.state import BotState
from serving.bot.step_result import StepAlert
from training.strategy.decision_frames import Decisions
from training.strategy.series import Float
from training.strategy.signal import Signal

_SIGNAL = tuple(one.name for one in fields(Signal) if one.name != "as_of")


def signals(decisions: Decisions, state: BotState, left: Restrained) -> tuple[dict[str, Any], ...]:
    """Return what is to be done, one a symbol; a protection's reason is among the reasons.

    Actions are those of the account: a position that was decided and is not bought yet is still to be bought, and a
    change of less than a unit is none.
    """
    found = []
    numbers = state.numbers
    for s, signal in enumerate(decisions.signals()):
        row = {name: getattr(signal, name) for name in _SIGNAL} | {"reasons": list(signal.reasons)}
        row["action"] = _action(float(numbers["position"][s]), float(numbers["wanted"][s]))
        if s in left.reasons:
            row |= {
                "position_size": float(numbers["weight"][s]),
                "stop": _number(numbers["stop"][s]),
                "take_profit": _number(numbers["take_profit"][s]),
                "reasons": [*signal.reasons, *left.reasons[s]],
            }
        found.append(row)
    return tuple(found)


def planned(state: BotState, closed: AtClose) -> dict[str, float]:
    """Return the shares of equity that the orders decided before lead to, by symbol, at the newest prices."""
    if closed.equity <= 0.0:
        return {}
    shares = np.where(closed.wanted != 0.0, closed.wanted * closed.worth, 0.0) / closed.equity
    return dict(zip(state.symbols, shares.tolist(), strict=True))


def positions(state: BotState, value: Float, mark: Float, when: When) -> tuple[dict[str, Any], ...]:
    """Return units, value and profit of every symbol that was ever held."""
    numbers = state.numbers
    has = np.zeros(len(state.symbols), bool)
    for name in ("position", "basis", "realised", "costs"):
        has |= numbers[name] != 0.0
    found = [
        {
            "bot": when.bot,
            "instant": when.instant,
            "symbol": state.symbols[s],
            "quantity": float(numbers["position"][s]),
            "mark": float(mark[s]) if mark[s] > 0.0 else None,
            "value": float(value[s]),
            "realised_pnl": float(numbers["realised"][s]),
            "unrealised_pnl": float(value[s] - numbers["basis"][s]),
            "costs": float(numbers["costs"][s]),
        }
        for s in np.flatnonzero(has)
    ]
    nothing = {"quantity": 0.0, "mark": None, "value": 0.0, "unrealised_pnl": 0.0}
    for symbol, (realised, costs) in state.retired.items():
        row = {"bot": when.bot, "instant": when.instant, "symbol": symbol, **nothing}
        found.append({**row, "realised_pnl": realised, "costs": costs})
    return tuple(found)


def account(state: BotState, value: Float, when: When) -> dict[str, Any]:
    """Return the account."""
    return {
        "bot": when.bot,
        "instant": when.instant,
        "cash": state.cash,
        "equity": state.protection.equity,
        "gross": float(np.abs(value).sum()),
        "net": float(value.sum()),
        "daily_return": state.protection.daily_return,
        "drawdown": state.protection.drawdown,
    }


def alerts(active: Sequence[str], verdict: Verdict, left: Restrained) -> tuple[StepAlert, ...]:
    """Return which protections begin and cease to act, given those that did at the close before."""
    what = "positions are closed" if verdict.is_closing else "positions are only reduced"
    now = {name: (f"trading is stopped, {what}", text) for name, text in verdict.stopped.items()}
    if left.dropped:
        now[ORDERS] = (f"{left.dropped} orders are dropped", "more of them than bot.protections.max_orders")
    begun = [
        StepAlert("protection", name, f"{_title(name)}: {title}", text)
        for name, (title, text) in now.items()
        if name not in active
    ]
    over = [StepAlert("protection", name, f"{_title(name)}: over", is_over=True) for name in active if name not in now]
    return (*begun, *over)


def _title(name: str) -> str:
    return TEXT[name].partition(": ")[2].capitalize()


def notes(state: BotState, verdict: Verdict, moved: Rebased, left: Restrained) -> dict[str, Any]:
    """Return what else a reader of the journal needs: the interest paid so far, and what changed prices or orders."""
    found: dict[str, Any] = {"interest": state.interest}
    if verdict.stopped:
        found["stopped"] = dict(verdict.stopped)
    if left.dropped:
        found["dropped_orders"] = left.dropped
    if moved.factors:
        found["rebased"] = dict(moved.factors)
    if moved.corrected:
        found["corrected"] = list(moved.corrected)
    return found


def _action(position: float, wanted: float) -> str:
    if is_done(wanted - position, position):
        return "hold" if position else "none"
    return "buy" if wanted > position else "sell"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

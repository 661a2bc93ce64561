"""Alerts of significant signals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from serving.alerts.events import Alert

_TRADES = ("buy", "sell")
_FACTS = ("action", "direction", "confidence", "strength", "position_size", "stop", "take_profit", "volatility")


def signal_alerts(
    bot: str,
    signals: Iterable[Mapping[str, Any]],
    held: Mapping[str, float],
    at: datetime,
    change: float,
    planned: Mapping[str, float] | None = None,
) -> list[Alert]:
    """Return an alert for every signal to buy or sell that changes what was decided before by at least ``change``.

    Parameters
    ----------
    bot, at
        The bot, and the instant of its scan.
    signals
        By field of :class:`training.strategy.Signal`.
    held
        Present positions as signed shares of equity; symbols that are not named have none.
    change
        ``alerts.signal_change``, a share of equity.
    planned
        What orders that are not filled yet lead to, so that those are reported once; by default ``held``.
    """
    found = []
    decided = held if planned is None else planned
    for signal in signals:
        symbol, size = str(signal["symbol"]), float(signal["position_size"])
        before = held.get(symbol, 0.0)
        if signal["action"] not in _TRADES or abs(size - decided.get(symbol, 0.0)) < change:
            continue
        data = {name: signal.get(name) for name in _FACTS} | {"position_before": before}
        title = f"{signal['action']} {symbol}: {before:.1%} to {size:.1%} of equity{_forecast(signal)}"
        found.append(Alert(bot, "signal", symbol, at, title, data=data))
    return found


def _forecast(signal: Mapping[str, Any]) -> str:
    facts = []
    if signal.get("direction") is not None and signal.get("confidence") is not None:
        facts.append(f"{signal['direction']} {signal['confidence']:.0%}")
    if signal.get("volatility") is not None:
        facts.append(f"volatility {signal['volatility']:.0%}")
    if signal.get("stop") is not None:
        facts.append(f"stop {signal['stop']:.6g}")
    return f" ({', '.join(facts)})" if facts else ""

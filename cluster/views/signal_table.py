"""Print the outcome of ``fleetcast signals``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cluster.newest_signals import NewestSignals
from cluster.views.console import make_console
from configs.words import signed
from training.strategy.signal import Signal

if TYPE_CHECKING:
    from cluster.views.wide_table import WideTable

_NONE = "–"


def show_signals(found: NewestSignals, strategy: str, as_json: bool) -> None:
    """Print a table of signals with their reasons, or one JSON document."""
    if as_json:
        document = {
            "strategy": strategy,
            "versions": dict(found.versions),
            "signals": [signal_json(one) for one in found.signals],
            "notes": list(found.notes),
        }
        print(json.dumps(document, allow_nan=False))
        return
    console = make_console()
    versions = ", ".join(f"{kind} {version}" for kind, version in found.versions.items())
    console.print(f"{strategy} with {versions}", highlight=False, soft_wrap=True)
    console.print(signal_table(found))
    for note in found.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)


def signal_json(signal: Signal) -> dict[str, Any]:
    """Return a signal as JSON."""
    return asdict(signal) | {"as_of": str(signal.as_of)[:19], "reasons": list(signal.reasons)}


def signal_table(found: NewestSignals) -> WideTable:
    """Return a row a symbol: its action, position, and the forecasts behind it, or why the position is 0."""
    from cluster.views.wide_table import WideTable

    headings = ["symbol", "newest bar", "action", "size %", "direction", "vol. %", "stop", "target", "why 0"]
    has_levels = any(one.stop is not None or one.take_profit is not None for one in found.signals)
    kept = [i for i, name in enumerate(headings) if has_levels or name not in ("stop", "target")]
    rows = [_row(one) for one in found.signals]
    caption = "size: share of equity to hold from the next bar on, as if nothing was held before"
    table = [[row[i] for i in kept] for row in rows]
    return WideTable([headings[i] for i in kept], table, caption=caption, left=("why 0", "direction", "action"))


def _row(signal: Signal) -> list[str]:
    direction = _NONE if signal.direction is None else f"{signal.direction} {signal.confidence:.2f}"
    return [
        signal.symbol,
        str(signal.as_of)[:16].replace("T00:00", "").replace("T", " "),
        signal.action,
        signed(signal.position_size * 100.0, 2) if signal.position_size else "0",
        direction,
        _NONE if signal.volatility is None else f"{signal.volatility * 100.0:.1f}",
        _NONE if signal.stop is None else f"{signal.stop:,.2f}",
        _NONE if signal.take_profit is None else f"{signal.take_profit:,.2f}",
        ", ".join(signal.reasons),
    ]

"""The output of ``fleetcast alerts``: tables, or JSON documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from cluster.views.console import make_console
from cluster.views.wide_table import WideTable
from serving.alerts.deliver import Delivered
from serving.alerts.records import Record

_NONE = "There is no such alert."
_NO_CHANNEL = "No channel is configured; alerts stay in the journal. See `fleetcast config describe alerts`."


def show_alerts(found: Sequence[Record], as_json: bool) -> None:
    """Print alerts with the states of their deliveries."""
    if as_json:
        _print_json([asdict(one) for one in found])
        return
    lines = [
        [one.id[:8], _time(one.created_at), one.bot, one.event, one.severity, _state(one), _sent(one), one.title]
        for one in found
    ]
    headings = ["id", "time (UTC)", "bot", "event", "severity", "condition", "deliveries", "alert"]
    used = [i for i in range(len(headings)) if any(line[i] for line in lines)]
    shown = [[line[i] for i in used] for line in lines]
    _print(WideTable([headings[i] for i in used], shown, left=headings) if lines else _NONE)


def show_delivered(done: Mapping[str, Delivered], as_json: bool) -> None:
    """Print what happened on each channel."""
    if as_json:
        _print_json({name: asdict(one) for name, one in done.items()})
        return
    lines = []
    for name, one in done.items():
        counts = [f"{count} {word}" for word in ("sent", "unknown", "failed") if (count := getattr(one, word))]
        later = [f"more from {_time(one.next_at)}"] if one.next_at else []
        lines.append(
            f"{name}: " + (", ".join([*counts, *later]) or "nothing sent") + (f" ({one.error})" * bool(one.error))
        )
    _print("\n".join(lines) or _NO_CHANNEL)


def show_tests(results: Mapping[str, str], as_json: bool) -> None:
    """Print through which channels a test message was sent."""
    if as_json:
        _print_json({name: {"sent": not error, "error": error} for name, error in results.items()})
        return
    _print("\n".join(f"{name}: {error or 'sent'}" for name, error in results.items()))


def _state(one: Record) -> str:
    if one.phase == "resolved":
        return "resolved"
    return "open" if one.resolved_at is None else ""


def _sent(one: Record) -> str:
    return ", ".join(f"{each.channel} {each.state}" for each in one.deliveries)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _print(view: Any) -> None:
    make_console().print(view, markup=False, highlight=False, soft_wrap=isinstance(view, str))


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, default=lambda one: one.isoformat()))

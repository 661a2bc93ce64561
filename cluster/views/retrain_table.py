"""The output of ``fleetcast retrain``: what is due and why, the order of symbols, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cluster.views.console import make_console
from cluster.views.wide_table import WideTable
from serving.retraining.plan import KindPlan
from serving.retraining.retrain import Retrained

_SHOWN = 20


def show_plans(plans: Sequence[KindPlan], as_json: bool) -> None:
    """Print what is due, why, and the most urgent symbols."""
    if as_json:
        print(json.dumps([plan_document(plan) for plan in plans], indent=1))
        return
    console = make_console()
    for plan in plans:
        state = "is trained" if plan.due.is_due else "is not trained"
        console.print(f"{plan.kind} {state}: {plan.due.reason}", highlight=False, markup=False, soft_wrap=True)
        if plan.hold_until is not None:
            text = f"  no version is promoted by itself until {plan.hold_until:%Y-%m-%d %H:%M} UTC, after a rollback"
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        if plan.order:
            console.print(_order(plan))


def show_retrained(plans: Sequence[KindPlan], done: Sequence[Retrained], as_json: bool) -> None:
    """Print what became of each kind that was due."""
    if as_json:
        results = {one.kind: one for one in done}
        document = [plan_document(plan) | {"result": _result(results.get(plan.kind))} for plan in plans]
        print(json.dumps(document, indent=1))
        return
    for one in done:
        line = f"{one.kind}: {one.version or 'no new version'}, {one.text}"
        make_console().print(line, highlight=False, markup=False, soft_wrap=True)


def plan_document(plan: KindPlan) -> dict[str, Any]:
    """Return a kind's plan as JSON."""
    return {
        "kind": plan.kind,
        "due": plan.due.is_due,
        "reason": plan.due.reason,
        "champion": plan.champion,
        "hold_until": None if plan.hold_until is None else plan.hold_until.isoformat(),
        "order": [
            {
                "symbol": one.symbol,
                "priority": one.priority,
                "staleness": one.staleness,
                "drift": one.drift,
                "exposure": one.exposure,
            }
            for one in plan.order
        ],
    }


def _result(one: Retrained | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {name: getattr(one, name) for name in ("version", "promoted", "left", "text", "failed")}


def _order(plan: KindPlan) -> WideTable:
    rows = [
        [one.symbol, f"{one.priority:.4g}", f"{one.staleness:.2f}", f"{one.drift:.2f}", f"{one.exposure:.2f}"]
        for one in plan.order[:_SHOWN]
    ]
    more = len(plan.order) - _SHOWN
    caption = f"and {more:,} more symbols" if more > 0 else None
    return WideTable(["symbol", "priority", "staleness", "drift", "exposure"], rows, caption=caption)

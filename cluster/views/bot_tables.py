"""Print the status of a bot, and what a replay did."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from configs.words import counted, signed

if TYPE_CHECKING:
    from serving.bot.replay import ReplayResult
    from serving.bot.status import BotStatus

_NONE = "–"
_SHOWN_ALERTS = 10


def as_json(value: Any) -> str:
    """Return a value as one JSON document; times are ISO text, and dates of bars are too."""
    return json.dumps(_finite(value), default=_plain, allow_nan=False)


def show_status(found: BotStatus, wants_json: bool) -> None:
    """Print tables of tasks and positions, or one JSON document."""
    if wants_json:
        print(as_json(asdict(found) | {"healthy": found.is_healthy}))
        return
    from cluster.views.console import make_console
    from cluster.views.wide_table import WideTable

    console = make_console()

    def line(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True, markup=False)

    line(f"bot {found.bot}: " + ("healthy" if found.is_healthy else "; ".join(found.problems)))
    if found.holder:
        line(f"  leader  {found.holder}, until {_minute(found.lives_until)}")
    line(f"  scans   the last ended {_minute(found.last_scan)}, bars to {_minute(found.step)}")
    if found.account:
        account = found.account
        line(
            f"  account equity {account['equity']:,.2f}, cash {account['cash']:,.2f}, gross {account['gross']:,.2f}, "
            f"drawdown {account['drawdown']:.2%}"
        )
    rows = [
        [name, _minute(one["started_at"]), one["outcome"] or "running", one["error"] or ""]
        for name, one in found.tasks.items()
    ]
    if rows:
        console.print(WideTable(["task", "last run", "outcome", "error"], rows, left=("last run", "outcome", "error")))
    if found.positions:
        console.print(_positions(found))
    for one in found.alerts[:_SHOWN_ALERTS]:
        line(f"{one['severity']}: {one['title']}, since {_minute(one['since'])}")
    if len(found.alerts) > _SHOWN_ALERTS:
        line(f"and {counted(len(found.alerts) - _SHOWN_ALERTS, 'alert')} more: fleetcast alerts list --state open")


def show_replay(found: ReplayResult, wants_json: bool) -> None:
    """Print what a replay did, or one JSON document."""
    if wants_json:
        print(as_json(found.to_json()))
        return
    print(f"{found.title}, {found.first} to {found.last}: {counted(found.days, 'day')} in {found.seconds:g} s")
    print(f"  equity {found.equity:,.2f}; the backtest's {found.backtest_equity:,.2f}")
    print(f"  largest difference on any day {found.difference:.2f}; {counted(found.fills, 'fill')}")
    for kind, skill in found.skill.items():
        alarms = ", ".join(f"{test} {date}" for test, date in skill.alarms.items()) or "none"
        print(
            f"  {kind}: live loss {skill.loss:.6f} (backtest's {skill.backtest_loss:.6f}, baseline's "
            f"{skill.baseline_loss:.6f}) over {counted(skill.days, 'day')}; alarms: {alarms}"
        )
    for kind, models in found.models.items():
        print(f"  {kind}: " + ", ".join(f"{name} from {first}" for name, first in models.items()))
    print(f"  journal {found.journal}")


def _positions(found: BotStatus) -> Any:
    from cluster.views.wide_table import WideTable

    headings = ["symbol", "units", "value", "realised", "unrealised", "costs"]
    rows = [
        [one["symbol"], f"{one['quantity']:,.4g}", f"{one['value']:,.2f}", *_profits(one), f"{one['costs']:,.2f}"]
        for one in found.positions
    ]
    return WideTable(headings, rows, caption="money of the account; costs are part of the profits")


def _profits(one: Mapping[str, Any]) -> list[str]:
    return [signed(one["realised_pnl"], 2), signed(one["unrealised_pnl"], 2)]


def _minute(at: Any) -> str:
    return _NONE if at is None else f"{at:%Y-%m-%d %H:%M}Z"


def _finite(value: Any) -> Any:
    """Return a value with null in place of numbers that are not finite."""
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):
        return _plain(value.item())
    return str(value)

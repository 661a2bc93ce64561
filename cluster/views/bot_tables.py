"""Print the status of a bot, and what a replay did."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from configs.words import counted

if TYPE_CHECKING:
    from serving.bot.replay import ReplayResult
    from serving.bot.status import BotStatus

_NONE = "–"
_SHOWN_SIGNALS = 5
_SHOWN_ALERTS = 10
_SHOWN_ORDERS = 6


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
    if found.orders:
        line(f"  orders  {_orders(found)}")
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
    print(f"{found.title}, {found.first} to {found.last}: {counted(found.days, 'bar')} in {found.seconds:g} s")
    print(f"  equity {found.equity:,.2f}; the backtest's {found.backtest_equity:,.2f}")
    print(f"  largest difference at any bar {found.difference:.2f}; {counted(found.fills, 'fill')}")
    for kind, skill in found.skill.items():
        print(
            f"  {kind}: live loss {skill.loss:.6f} (backtest's {skill.backtest_loss:.6f}, baseline's "
            f"{skill.baseline_loss:.6f}) over {counted(skill.days, 'day')}"
        )
        alarms = "; ".join(f"{one.test} on {one.date}{_delay(one.days)}" for one in skill.alarms)
        print(f"  {kind}: alarms: {alarms or 'none'}")
        signals = [f"{one.date}{_delay(one.days)}" for one in skill.signals]
        more = f" and {len(signals) - _SHOWN_SIGNALS} more" if len(signals) > _SHOWN_SIGNALS else ""
        print(f"  {kind}: the control chart says watch: {'; '.join(signals[:_SHOWN_SIGNALS]) or 'never'}{more}")
    for kind, models in found.models.items():
        print(f"  {kind}: models: " + ", ".join(f"{name} from {first}" for name, first in models.items()))
    for note in found.notes:
        print(f"  {note}")
    print(f"  journal {found.journal}")


def _delay(days: int | None) -> str:
    """Return how long after a planted break an alarm came, in words."""
    if days is None:
        return ""
    return f" ({counted(days, 'bar')} after the break)" if days > 0 else " (false: before the break)"


def _orders(found: BotStatus) -> str:
    """Return which orders wait, in words."""
    some = [
        f"{'buy' if one['quantity'] > 0 else 'sell'} {_units(abs(one['quantity']))} {one['symbol']}"
        for one in found.orders[:_SHOWN_ORDERS]
    ]
    more = len(found.orders) - len(some)
    waiting = f"{counted(len(found.orders), 'order')} for the next bar: {', '.join(some)}"
    return waiting + (f" and {more:,} more" if more else "")


def _positions(found: BotStatus) -> Any:
    """Return the profits of every symbol that was ever held, and their sum, which is the change of equity."""
    from cluster.views.wide_table import WideTable

    names = ("value", "realised_pnl", "unrealised_pnl", "costs")
    total = {name: sum(one[name] for one in found.positions) for name in names}
    rows = [_position(one, one["symbol"], _units(one["quantity"])) for one in found.positions]
    if len(rows) > 1:
        rows.append(_position(total, "total", ""))
    caption = "money of the account; profit = realised + unrealised − costs"
    if found.interest:
        caption = f"{caption}\ninterest {'paid' if found.interest > 0 else 'received'}: {abs(found.interest):,.2f}"
    return WideTable(["symbol", "units", "value", "profit", "realised", "unrealised", "costs"], rows, caption=caption)


def _position(one: Mapping[str, Any], symbol: str, units: str) -> list[str]:
    realised, unrealised, costs = one["realised_pnl"], one["unrealised_pnl"], one["costs"]
    profits = [f"{each:+,.2f}".replace("-", "−") for each in (realised + unrealised - costs, realised, unrealised)]
    return [symbol, units, f"{one['value']:,.2f}", *profits, f"{costs:,.2f}"]


def _units(quantity: float) -> str:
    """Return a number of units, whole ones without decimals."""
    return f"{quantity:,.0f}" if quantity == round(quantity) else f"{quantity:,.6f}".rstrip("0")


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

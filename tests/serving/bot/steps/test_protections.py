"""Protections, close by close."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.bot import ProtectionConfig
from serving.bot.protections import Close, ProtectionState, protect


def walk(equities, settings, *, stops=(), per_day=1, switch=()):
    """Return the state after closes of these equities, and what stopped trading at each."""
    state, found = ProtectionState.of(100.0), []
    for i, equity in enumerate(equities):
        close = Close(f"2024-01-{1 + i // per_day:02d}", equity, int(i in stops))
        state, verdict = protect(state, close, settings, "close" if i in switch else None)
        state = ProtectionState.of_json(json.loads(json.dumps(state.as_json())))
        found.append((tuple(verdict.stopped), verdict.is_closing))
    return state, found


def test_nothing_stops_trading_by_default():
    _, found = walk([100, 50, 10, 1], ProtectionConfig(), stops=(0, 1, 2))
    assert found == [((), False)] * 4


def test_a_daily_loss_stops_trading_until_the_next_day():
    state, found = walk([100, 100, 95, 99, 99, 94], ProtectionConfig(daily_loss=0.05), per_day=2)
    assert [bool(one) for one, _ in found] == [False, False, True, True, False, True]
    assert state.daily_return == pytest.approx(94 / 99 - 1)


def test_a_drawdown_stops_trading_for_a_while_and_is_then_measured_anew():
    settings = ProtectionConfig(drawdown=0.1, cool_down=3)
    state, found = walk([100, 110, 98, 80, 70, 72, 65, 64], settings)
    assert [bool(one) for one, _ in found] == [False, False, True, True, True, False, False, True]
    assert state.drawdown == pytest.approx(64 / 110 - 1), "that of the account is measured from the highest of all"


def test_stop_losses_within_some_days_stop_trading():
    settings = ProtectionConfig(stops=2, stops_days=3, cool_down=2, action="close")
    _, found = walk([100] * 9, settings, stops=(0, 3, 5, 6))
    assert [bool(one) for one, _ in found] == [False, False, False, False, False, True, True, False, False]
    assert [closing for _, closing in found] == [bool(one) for one, _ in found]


def test_the_kill_switch_stops_trading_while_its_file_exists():
    _, found = walk([100] * 3, ProtectionConfig(), switch=(1,))
    assert found == [((), False), (("kill_switch",), True), ((), False)]
    assert protect(ProtectionState.of(1.0), Close("2024-01-01", 1.0, 0), ProtectionConfig(), "")[1] == (
        {"kill_switch": "the file of the kill switch exists"},
        False,
    )


def test_an_account_without_equity_is_closed():
    _, found = walk([100, -5], ProtectionConfig())
    assert found[1] == (("ruin",), True)


@given(st.lists(st.floats(1.0, 200.0), min_size=1, max_size=30), st.floats(0.01, 0.9), st.integers(1, 6))
def test_trading_always_goes_on_after_the_cool_down(equities, drawdown, cool_down):
    settings = ProtectionConfig(drawdown=drawdown, cool_down=cool_down)
    state, found = walk(equities + [equities[-1]] * (cool_down + 1), settings)
    longest = run = 0
    for stopped, _ in found:
        run = run + 1 if stopped else 0
        longest = max(longest, run)
    assert longest <= cool_down + (cool_down if longest > cool_down else 0)
    assert state.highest == max(100.0, *equities) and not found[-1][0]

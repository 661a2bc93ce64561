"""What protections do to signals, orders and positions."""

import pytest

from serving.bot.protections import DRAWDOWN

STOPPED = {"position_size", "action", "reasons"}


def sizes(result):
    return {row["symbol"]: abs(row["value"]) for row in result.position_rows}


def units(result):
    return {row["symbol"]: row["quantity"] for row in result.position_rows if row["quantity"]}


def test_a_kill_switch_reduces_only_with_a_reason_and_an_alert(bot_of):
    bot = bot_of(2)
    *_, before = bot.run(stop=105)
    assert units(before) and not before.alerts
    switched = bot.run(start=105, stop=112, kill_switch="")
    (alert,) = switched[0].alerts
    assert (alert.event, alert.key, alert.is_over) == ("protection", "kill_switch", False)
    assert not any(one.alerts for one in switched[1:]), "it is reported once"
    old = units(switched[0])
    for one in switched[1:]:
        assert all(abs(quantity) <= abs(old.get(name, 0.0)) for name, quantity in units(one).items())
        old = units(one)
    stopped = [signal for one in switched for signal in one.signals if "protection: kill switch" in signal["reasons"]]
    assert stopped and {signal["action"] for signal in stopped} <= {"hold", "none", "sell"}
    assert any(signal["action"] == "hold" and signal["position_size"] for signal in stopped)
    assert switched[0].notes["stopped"] == {"kill_switch": "the file of the kill switch exists"}
    after = bot.step(112)
    assert [(one.key, one.is_over) for one in after.alerts] == [("kill_switch", True)]
    assert units(bot.step(113)), "trading goes on"


def test_closing_closes_everything_in_the_next_bars_and_the_strategy_knows(bot_of):
    bot = bot_of(2)
    bot.run(stop=105)
    switched = bot.run(start=105, stop=115, kill_switch=" Close\n")
    assert not units(switched[-1]), "symbols without a bar are closed in their next one"
    assert bot.state.decided.weights.sum() == 0.0
    assert all(signal["position_size"] == 0.0 and signal["reasons"] for signal in switched[-1].signals)
    opened = bot.run(start=115, stop=125)
    assert units(opened[-1])


def test_a_drawdown_closes_positions_and_trading_goes_on_after_the_cool_down(bot_of):
    protections = {"drawdown": 0.01, "cool_down": 4, "action": "close"}
    bot = bot_of(4, "relative_rank", bot={"protections": protections})
    results = bot.run()
    stopped = [DRAWDOWN in one.notes.get("stopped", {}) for one in results]
    first = stopped.index(True)
    assert stopped[first : first + 5] == [True] * 4 + [False]
    assert results[first].account_row["drawdown"] <= -0.01
    closed = [one for one, stop in zip(results, stopped, strict=True) if stop]
    assert all(order.target == 0.0 for one in closed for order in one.orders)
    begun = [(one.key, one.is_over) for result in results for one in result.alerts]
    assert begun[:2] == [(DRAWDOWN, False), (DRAWDOWN, True)]


def test_orders_of_a_scan_are_limited_to_the_largest_and_reductions_are_not(bot_of):
    bot = bot_of(1, "relative_rank", bot={"protections": {"max_orders": 1}})
    results, dropped = bot.run(), 0
    for result in results:
        before = units(result)
        opening = [one for one in result.orders if abs(one.target) > abs(before.get(one.symbol, 0.0))]
        assert len(opening) <= 1
        named = [one for one in result.signals if "protection: orders of a scan" in one["reasons"]]
        assert len(named) == result.notes.get("dropped_orders", 0)
        dropped += len(named)
    assert dropped
    assert {one.key for result in results for one in result.alerts} == {"max_orders"}


@pytest.mark.slow
def test_protections_that_never_act_change_nothing(bot_of):
    protections = {"daily_loss": 0.9, "drawdown": 0.9, "stops": 10_000, "max_orders": 10_000, "action": "close"}
    plain, protected = (
        bot_of(5, "direction", stops=True),
        bot_of(5, "direction", stops=True, bot={"protections": protections}),
    )
    for one, two in zip(plain.run(), protected.run(), strict=True):
        assert one.account_row == two.account_row and one.orders == two.orders and one.signals == two.signals


@pytest.mark.parametrize("action", ["reduce", "close"])
def test_stop_losses_stop_trading(bot_of, action):
    protections = {"stops": 1, "cool_down": 2, "action": action}
    results = bot_of(6, "volatility_target", stops=True, bot={"protections": protections}).run()
    stops = [i for i, one in enumerate(results) if any(row["kind"] == "stop" for row in one.order_rows)]
    assert stops and all("stops" in results[i].notes["stopped"] for i in stops[:1])
    assert results[stops[0]].signals[0].keys() >= STOPPED

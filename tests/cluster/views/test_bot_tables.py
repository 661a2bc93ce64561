"""What ``fleetcast bot status`` prints: profits that add up to the account, and orders that wait."""

from datetime import UTC, datetime

from cluster.views.bot_tables import show_status
from serving.bot.status import BotStatus

NOW = datetime(2026, 11, 29, tzinfo=UTC)
MONEY = ("value", "realised_pnl", "unrealised_pnl", "costs")


def status(positions, orders=(), interest=0.0):
    """The status of a bot that began with 1,000,000, from rows of (symbol, quantity, *MONEY)."""
    rows = tuple(
        {"symbol": name, "quantity": units} | dict(zip(MONEY, rest, strict=True)) for name, units, *rest in positions
    )
    gain = sum(one["realised_pnl"] + one["unrealised_pnl"] - one["costs"] for one in rows) - interest
    value = sum(one["value"] for one in rows)
    account = {"equity": 1e6 + gain, "cash": 1e6 + gain - value, "gross": value, "drawdown": -0.01}
    waiting = tuple({"symbol": name, "quantity": quantity} for name, quantity in orders)
    scans = (NOW, "10m", 600.0, NOW, 0, NOW)
    return BotStatus("paper", NOW, "", None, *scans, NOW, account, rows, interest, waiting, (), {}, (), ())


def test_profits_are_after_costs_and_add_up_to_the_account(capsys):
    show_status(status([("A", 1315.0, 1e5, 300.0, 7200.5, 60.25), ("B", 0.125, 5e4, -170.0, -6200.0, 50.0)]), False)
    out = capsys.readouterr().out
    cells = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line[:1] in "ABt"}
    assert cells["A"] == ["1,315", "100,000.00", "+7,440.25", "+300.00", "+7,200.50", "60.25"]
    assert cells["B"] == ["0.125", "50,000.00", "−6,420.00", "−170.00", "−6,200.00", "50.00"]
    assert cells["total"] == ["150,000.00", "+1,020.25", "+130.00", "+1,000.50", "110.25"]
    assert "equity 1,001,020.25" in out and "realised + unrealised − costs" in out and "interest" not in out


def test_interest_that_no_symbol_has_is_named(capsys):
    show_status(status([("A", 1.0, 10.0, 0.0, 5.0, 1.0)], interest=3.5), False)
    out = capsys.readouterr().out
    assert "equity 1,000,000.50" in out and "interest paid: 3.50" in out and "total" not in out


def test_orders_that_wait_are_shown_and_the_rest_counted(capsys):
    show_status(status([], [("S1", 1309.0), ("S2", -2.5), *((f"S{i}", 1.0) for i in range(3, 10))]), False)
    text = " ".join(capsys.readouterr().out.split())
    assert "9 orders for the next bar: buy 1,309 S1, sell 2.5 S2, buy 1 S3" in text and "and 3 more" in text

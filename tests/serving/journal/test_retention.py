"""Old rows are deleted and counted, but none that something still needs; tables are written as Parquet."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, insert, select

from configs import ConfigError, StoreError
from serving.journal import schema
from serving.journal.export import export_tables, table_names
from serving.journal.predictions import record
from serving.journal.retention import prune

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=100), NOW - timedelta(days=1)


def put(connection, table, **values):
    connection.execute(insert(table), values)


def order(connection, symbol, moment, state="filled", bot="paper"):
    number = schema.row_id(bot, symbol, moment, state)
    bar = {"bot": bot, "symbol": symbol, "bar_date": moment, "bar_close": moment}
    put(connection, schema.orders, id=number, kind="entry", quantity=1.0, state=state, **bar)
    costs = dict.fromkeys(("spread", "slippage", "impact", "commission"), 0.0)
    put(connection, schema.fills, id=schema.row_id(number), order_id=number, quantity=1.0, price=1.0, **bar, **costs)
    signal = {"strategy": "direction", "action": "buy", "position_size": 0.1, "regime": "calm", "reasons": []}
    put(connection, schema.signals, **bar, **signal)


def account(connection, moment, bot="paper", **held):
    put(connection, schema.accounts, bot=bot, instant=moment, cash=1.0, equity=1.0, gross=0.0, net=0.0, drawdown=0.0)
    for symbol, quantity in held.items():
        numbers = dict.fromkeys(("value", "realised_pnl", "unrealised_pnl", "costs"), 0.0)
        put(connection, schema.positions, bot=bot, instant=moment, symbol=symbol, quantity=quantity, **numbers)


def alert(connection, key, moment, delivery="sent", resolved=NEW, occurrence=0):
    number = schema.row_id("paper", "drift", key, occurrence)
    about = {"bot": "paper", "event": "drift", "key": key, "occurrence": str(occurrence), "severity": "warning"}
    texts = {"title": "t", "body": "b", "data": {}, "phase": "raised", "since": moment, "routed": True}
    put(connection, schema.alerts, id=number, created_at=moment, resolved_at=resolved, **about, **texts)
    put(
        connection,
        schema.deliveries,
        alert_id=number,
        channel="telegram",
        state=delivery,
        queued_at=moment,
        mentioned=False,
    )


def left(journal, column):
    with journal.connect() as connection:
        return sorted(connection.execute(select(column)).scalars())


def pruned(journal, keep_days=30, **options):
    with journal.begin() as connection:
        return {name: count for name, count in prune(connection, keep_days, NOW, **options).items() if count}


def test_orders_of_open_positions_stay(journal):
    with journal.begin() as connection:
        for symbol in ("HELD", "GONE"):
            order(connection, symbol, OLD)
        order(connection, "WAIT", OLD, "open")
        account(connection, OLD, HELD=3.0, GONE=1.0)
        account(connection, NEW, HELD=3.0, GONE=0.0)
        account(connection, OLD, bot="stopped", HELD=1.0)
    counted = pruned(journal, dry_run=True)
    assert counted == pruned(journal) == {"fills": 1, "orders": 1, "signals": 2, "positions": 2, "accounts": 1}
    assert left(journal, schema.orders.c.symbol) == ["HELD", "WAIT"] == left(journal, schema.fills.c.symbol)
    assert left(journal, schema.signals.c.symbol) == ["HELD"]
    assert left(journal, schema.accounts.c.instant) == [OLD, NEW]  # of the stopped bot, and the newest
    assert pruned(journal) == {}


def test_predictions_of_a_running_test_stay(journal, make_prediction):
    shadow = {"champion": "v2", "log_e": 0.1, "n_days": 3}
    with journal.begin() as connection:
        record(connection, [make_prediction(version=version) for version in ("v0", "v1", "v2", "v3")])
        record(connection, [make_prediction(version="v3", day=400)])
        ended = {"shadow": "v0", "since": OLD - timedelta(days=199), "ended_at": OLD, **shadow, "champion": "v3"}
        put(connection, schema.shadows, kind="direction", **ended)
        put(connection, schema.shadows, kind="direction", shadow="v1", since=OLD - timedelta(days=99), **shadow)
        put(connection, schema.shadows, kind="volatility", shadow="v3", since=OLD - timedelta(days=99), **shadow)
    assert pruned(journal) == {"predictions": 2, "shadows": 1}
    assert left(journal, schema.predictions.c.version) == ["v1", "v2", "v3"]


def test_alerts_states_and_runs_that_are_needed_stay(journal):
    with journal.begin() as connection:
        alert(connection, "done", OLD)
        alert(connection, "waiting", OLD, "waiting")
        alert(connection, "unresolved", OLD, resolved=None)
        alert(connection, "repeated", OLD)
        alert(connection, "repeated", NEW, resolved=None, occurrence=1)
        for name, day in (("skill", OLD), ("skill", OLD + timedelta(days=1)), ("coverage", OLD)):
            put(connection, schema.monitor_states, name=name, day=day.date(), state={})
        for day in (OLD, OLD + timedelta(days=1)):
            step = {"started_at": day, "finished_at": day, "symbols": 1, "notes": {}, "state": {}}
            put(connection, schema.steps, bot="paper", instant=day, **step)
        put(connection, schema.task_runs, bot="paper", task="scan", due_at=OLD, started_at=OLD, finished_at=OLD)
        put(connection, schema.task_runs, bot="paper", task="fetch", due_at=OLD, started_at=OLD)
        for number, kind, finished in (("1", "direction", OLD), ("2", "direction", None), ("3", "volatility", OLD)):
            started = OLD - timedelta(days=number == "1")
            run = {"kind": kind, "reason": "weekly", "started_at": started, "finished_at": finished}
            put(connection, schema.retrainings, id=number, **run)
    expected = {"alerts": 2, "deliveries": 2, "monitor_states": 1, "steps": 1, "task_runs": 1, "retrainings": 1}
    assert pruned(journal) == expected
    assert left(journal, schema.alerts.c.key) == ["repeated", "unresolved", "waiting"]
    assert left(journal, schema.monitor_states.c.name) == ["coverage", "skill"]


def test_tables_are_written_as_parquet(journal, make_prediction, tmp_path):
    rows = [make_prediction(f"S{i:03}") for i in range(300)]
    with journal.begin() as connection:
        record(connection, rows)
        record(connection, [make_prediction("S000", day=3)])
        account(connection, OLD, HELD=1.5)
    with journal.connect() as connection:
        assert export_tables(connection, tmp_path / "all")["predictions"] == 301
        since = rows[0].bar_close + timedelta(days=1)
        some = export_tables(connection, tmp_path / "some", ["predictions", "leases"], since)
    assert some == {"leases": 0, "predictions": 1}
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == ["leases.parquet", "predictions.parquet"]
    table = pq.read_table(tmp_path / "all" / "predictions.parquet").sort_by("bar_close")
    first = next(row for row in table.to_pylist() if row["symbol"] == "S000")
    assert first["bar_close"] == rows[0].bar_close and first["p_up"] == rows[0].p_up and first["variance"] is None
    assert json.loads(first["baselines"]) == rows[0].baselines and first["in_set_down"] is True
    assert pq.read_table(tmp_path / "all" / "positions.parquet")["quantity"].to_pylist() == [1.5]
    assert sorted(path.stem for path in (tmp_path / "all").iterdir()) == sorted(table_names())


def test_a_table_or_folder_that_cannot_be_is_one_error(journal, tmp_path):
    (tmp_path / "file").write_text("")
    with journal.connect() as connection:
        with pytest.raises(ConfigError, match=r"no table 'x'.*predictions"):
            export_tables(connection, tmp_path, ["x"])
        with pytest.raises(StoreError, match="cannot be written"):
            export_tables(connection, tmp_path / "file" / "folder")
        assert connection.execute(select(func.count()).select_from(schema.predictions)).scalar_one() == 0

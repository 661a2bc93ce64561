"""The states of sequential tests in the journal: one row a test and day, from which the next run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from configs.monitoring import MonitoringConfig
from configs.values import Kind
from serving.journal.schema import monitor_states
from serving.journal.upsert import insert
from serving.monitoring.kind_tests import KindState, Raised
from serving.monitoring.tested import TestedSkill

_TESTED_DAY = date(1970, 1, 1)


def state_name(kind: Kind, horizon: int) -> str:
    """Return the name of the tests of a kind; models of another horizon have their own."""
    return f"tests/{kind}/{horizon}"


def read_state(connection: Connection, name: str, horizon: int, config: MonitoringConfig) -> KindState:
    """Return the newest state, or that before the first step."""
    newest = select(monitor_states.c.state).where(monitor_states.c.name == name)
    found = connection.execute(newest.order_by(monitor_states.c.day.desc()).limit(1)).scalar()
    return KindState.initial(horizon, config) if found is None else KindState.from_json(found["state"])


def write_states(connection: Connection, name: str, states: Sequence[KindState], config: MonitoringConfig) -> None:
    """Write the last state of each day, with what charts show of it."""
    by_day: dict[date, KindState] = {date.fromisoformat(one.last[:10]): one for one in states}
    rows = [
        {
            "name": name,
            "day": day,
            "state": {"evidence": one.evidence(config), "sums": one.sums, "epoch": one.epoch, "state": one.to_json()},
        }
        for day, one in by_day.items()
    ]
    _write(connection, rows)


def read_history(connection: Connection, name: str) -> list[tuple[date, dict[str, float], float]]:
    """Return the evidence of each test and the control chart's value after each day, in order."""
    found = connection.execute(
        select(monitor_states.c.day, monitor_states.c.state)
        .where(monitor_states.c.name == name)
        .order_by(monitor_states.c.day)
    )
    return [(day, dict(state["evidence"]), float(state["sums"])) for day, state in found]


def read_alarms(connection: Connection, name: str) -> list[tuple[str, Raised]]:
    """Return every alarm that was raised, by the name of its test, in order, also those before tests began again."""
    wanted = select(monitor_states.c.state).where(monitor_states.c.name == name).order_by(monitor_states.c.day)
    states = (KindState.from_json(found["state"]) for found in connection.execute(wanted).scalars())
    alarms = {(one.epoch, test): alarm for one in states for test, alarm in one.alarms.items()}
    return [(test, alarm) for (_, test), alarm in alarms.items()]


def read_tested(connection: Connection, kind: Kind) -> dict[str, TestedSkill]:
    """Return the stored test figures of a kind's versions."""
    head = f"tested/{kind}/"
    found = select(monitor_states.c.name, monitor_states.c.state).where(monitor_states.c.name.startswith(head))
    return {name.removeprefix(head): TestedSkill.from_json(state) for name, state in connection.execute(found).all()}


def write_tested(connection: Connection, kind: Kind, version: str, tested: TestedSkill) -> None:
    """Store a version's test figures: its test table may be deleted before its last outcome is known."""
    _write(connection, [{"name": f"tested/{kind}/{version}", "day": _TESTED_DAY, "state": tested.to_json()}])


def _write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        statement = insert(connection, monitor_states)
        keys = [monitor_states.c.name, monitor_states.c.day]
        changed = {"state": statement.excluded.state}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)

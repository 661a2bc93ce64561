"""What the journal and the registry say of a kind of models and of its symbols, for decisions on retraining."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from configs.errors import ModelError
from configs.schema import Config
from configs.values import Kind
from serving.alerts.outbox import open_conditions
from serving.journal.schema import accounts, positions
from serving.monitoring.states import read_state, state_name
from serving.retraining.drifted import drift_of_losses
from serving.retraining.due import KindFacts
from serving.retraining.order import SymbolFacts
from serving.retraining.training_records import newest_run, running_since, unfinished
from training.registry.manager import ModelManager

_DAY_S = 86_400.0
_SEEN = ("trained_to", "calibrated_to")


def kind_facts(
    connection: Connection,
    models: ModelManager,
    kind: Kind,
    config: Config,
    bot: str,
    now: datetime,
    lease_now: datetime,
) -> KindFacts:
    """Return what decides whether a kind is trained now.

    ``now`` is the bot's time, which may be in the past; ``lease_now`` is that of leases.
    """
    champion = models.aliases(kind).champion
    if champion is None:
        return KindFacts(kind, None)
    run = newest_run(connection, kind)
    last = max(filter(None, (_made_at(models, kind, champion, now), run and run.started_at)), default=None)
    horizon = horizon_of(models, kind, champion)
    state = read_state(connection, state_name(kind, horizon), horizon, config.monitoring)
    alarms = [
        f"{name.replace('_', ' ')} alarm of {one.date[:10]}"
        for name, one in state.alarms.items()
        if last is None or _moment(one.date) >= last
    ]
    symbols = set(models.roster(kind, champion).symbols())
    drifts = [row for row in open_conditions(connection, bot, "drift") if last is None or row.since >= last]
    alarms += [f"drift alert of {row.since:%Y-%m-%d}" for row in drifts if row.key == kind]
    return KindFacts(
        kind,
        champion,
        seen_to=seen_to(models, kind, champion),
        last_started=last,
        running_since=running_since(connection, kind, lease_now),
        unfinished=unfinished(run),
        alarms=tuple(alarms),
        symbols=len(symbols),
        drifted=sum(row.key in symbols for row in drifts),
    )


def symbol_facts(
    connection: Connection,
    models: ModelManager,
    kind: Kind,
    config: Config,
    bot: str,
    now: datetime,
    also: Sequence[str] = (),
) -> list[SymbolFacts]:
    """Return what the order of the champion's symbols, and of those in ``also``, depends on."""
    champion = models.resolve(kind, "champion")
    seen = seen_to(models, kind, champion)
    age = 0.0 if seen is None else max((now - seen).total_seconds() / _DAY_S, 0.0)
    own = set(models.roster(kind, champion).symbols())
    horizon = horizon_of(models, kind, champion)
    drift = drift_of_losses(connection, models, kind, champion, horizon, config.monitoring, now)
    alerted = {row.key for row in open_conditions(connection, bot, "drift")}
    exposure = exposures(connection, bot)
    return [
        SymbolFacts(
            symbol,
            age if symbol in own else float("inf"),
            max(drift.get(symbol, 0.0), float(symbol in alerted)),
            exposure.get(symbol, 0.0),
        )
        for symbol in sorted(own.union(also))
    ]


def exposures(connection: Connection, bot: str) -> dict[str, float]:
    """Return the sizes of a bot's newest positions as shares of its equity."""
    newest = select(func.max(accounts.c.instant)).where(accounts.c.bot == bot).scalar_subquery()
    equity = connection.execute(
        select(accounts.c.equity).where(accounts.c.bot == bot, accounts.c.instant == newest)
    ).scalar()
    if not equity or equity <= 0:
        return {}
    held = select(positions.c.symbol, positions.c.value).where(positions.c.bot == bot, positions.c.instant == newest)
    return {row.symbol: abs(row.value) / equity for row in connection.execute(held)}


def seen_to(models: ModelManager, kind: Kind, version: str) -> datetime | None:
    """Return the day of the last outcome that a version has seen, in calibration too; None if it is not known."""
    notes = models.manifest(kind, version).notes
    days = [str(notes.get(name) or "") for name in _SEEN] if isinstance(notes, dict) else []
    return max((_moment(day) for day in days if day), default=None)


def horizon_of(models: ModelManager, kind: Kind, version: str) -> int:
    """Return how many bars ahead a version forecasts."""
    section = models.manifest(kind, version).config.get(kind)
    if not isinstance(section, dict) or not isinstance(section.get("horizon"), int):
        raise ModelError(f"{kind} {version} does not say its horizon. Train again.")
    return int(section["horizon"])


def _made_at(models: ModelManager, kind: Kind, version: str, now: datetime) -> datetime | None:
    """Return when a version was made; None for one of later than ``now``, which may be in the past."""
    created = models.manifest(kind, version).created.astimezone(UTC)
    return created if created <= now else None


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)

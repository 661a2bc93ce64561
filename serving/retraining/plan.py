"""The plan of a retraining: which kinds are due and why, and the order of their symbols. It trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from configs.errors import ModelError
from configs.schema import Config
from configs.values import Kind
from serving.journal.database import Journal
from serving.retraining.due import Due, judge_due
from serving.retraining.facts import kind_facts, symbol_facts
from serving.retraining.order import Priority, order_symbols
from serving.retraining.shadows import hold_until
from training.registry.manager import ModelManager


@dataclass(frozen=True, slots=True)
class KindPlan:
    """A kind's part of a plan.

    Attributes
    ----------
    due
        Whether it is trained now, and why.
    champion
        The version whose settings are used.
    order
        Its symbols, the most urgent first.
    hold_until
        Until when its versions are not promoted by themselves; None if they may be.
    """

    due: Due
    champion: str | None
    order: Sequence[Priority]
    hold_until: datetime | None

    @property
    def kind(self) -> Kind:
        """Of models."""
        return self.due.kind


def plan_retraining(
    journal: Journal,
    models: ModelManager,
    config: Config,
    bot: str,
    now: datetime | None = None,
    *,
    kinds: Sequence[Kind] = (),
    force: bool = False,
) -> list[KindPlan]:
    """Return what a retraining would do now, by kind.

    Parameters
    ----------
    journal
        With positions, outcomes, alerts and former trainings.
    models
        The registry.
    config
        ``retrain`` and ``monitoring``.
    bot
        Whose positions and alerts count.
    now
        The bot's time, aware; by default the present.
    kinds
        By default all with a version; one without a champion is not trained, and the plan says so.
    force
        Whether time, cool-down and causes are ignored.

    Raises
    ------
    ModelError
        No kind has a champion.
    """
    present = datetime.now(UTC)
    moment = now or present
    wanted: list[Kind] = list(kinds) or models.kinds()  # type: ignore[assignment]
    if not (kinds or any(models.aliases(kind).champion for kind in wanted)):
        way = "Promote a version: fleetcast models promote." if wanted else "Make one: fleetcast train."
        raise ModelError(f"{models.store.uri!r} has no champion to train again. {way}")
    found = []
    with journal.connect() as connection:
        for kind in wanted:
            facts = kind_facts(connection, models, kind, config, bot, moment, present)
            due = judge_due(facts, config.retrain, moment, force=force)
            symbols = symbol_facts(connection, models, kind, config, bot, moment) if facts.champion else []
            order = order_symbols(symbols, config.retrain)
            found.append(KindPlan(due, facts.champion, order, hold_until(connection, kind, config, moment)))
    return found

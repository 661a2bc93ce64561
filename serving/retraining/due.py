"""Whether a kind of models is trained again now, and why: a pure decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from configs.retrain import RetrainConfig
from configs.values import Kind
from configs.words import counted


@dataclass(frozen=True, slots=True)
class KindFacts:
    """What the decision depends on.

    Attributes
    ----------
    kind
        Of models.
    champion
        Its champion; None without one.
    seen_to
        When the last outcome was that it has seen, in calibration too; None if not known.
    last_started
        When the last training of the kind started, or its champion was made; None without one.
    running_since
        When the training started that is in progress; None without one.
    unfinished
        Why the last training is to be continued: ``interrupted``, or blocks that were beyond the budget; empty if not.
    alarms
        Alarms of monitoring since the last training, in words.
    symbols, drifted
        Symbols of the champion, and those with an open drift alert since the last training.
    """

    kind: Kind
    champion: str | None
    seen_to: datetime | None = None
    last_started: datetime | None = None
    running_since: datetime | None = None
    unfinished: str = ""
    alarms: Sequence[str] = ()
    symbols: int = 0
    drifted: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """Whether a kind is trained now, and why or why not."""

    kind: Kind
    is_due: bool
    reason: str


def judge_due(facts: KindFacts, settings: RetrainConfig, now: datetime, *, force: bool = False) -> Due:
    """Decide whether a kind is trained now.

    One training of a kind is in progress at most. Otherwise ``force`` trains. A training that was not finished is
    continued. Alarms and drift count after the cool-down, time after ``every_days``.
    """

    def answer(is_due: bool, reason: str) -> Due:
        return Due(facts.kind, is_due, reason)

    if facts.champion is None:
        ways = f"Promote a version (fleetcast models promote), or train one: fleetcast train --kinds {facts.kind}"
        return answer(False, f"there is no champion whose settings say how. {ways}")
    if facts.running_since is not None:
        return answer(False, f"a training is in progress since {_time(facts.running_since)}")
    if force:
        return answer(True, "it was asked for")
    if facts.unfinished:
        return answer(True, f"the last training is to be continued: {facts.unfinished}")
    rested = facts.last_started is None or now >= facts.last_started + timedelta(days=settings.cool_down_days)
    causes = [*facts.alarms]
    if facts.symbols and facts.drifted >= max(settings.drift_share * facts.symbols, 1):
        causes.append(f"drift of {facts.drifted:,} of {counted(facts.symbols, 'symbol')}")
    if causes and rested:
        return answer(True, "; ".join(causes))
    newest = max(filter(None, (facts.seen_to, facts.last_started)), default=None)
    if newest is None:
        return answer(True, "it is not known when it was trained")
    next_at = newest + timedelta(days=settings.every_days)
    if now >= next_at and rested:
        return answer(True, f"{(now - newest).total_seconds() / 86_400:.1f} days have passed")
    until = next_at
    if not rested and facts.last_started is not None:
        end = facts.last_started + timedelta(days=settings.cool_down_days)
        until = end if causes else max(end, next_at)
    return answer(False, f"next on {_time(until)}" + (f" ({'; '.join(causes)}; cool-down)" if causes else ""))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

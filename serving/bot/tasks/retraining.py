"""Train again what is due, by age or because monitoring says so."""

from __future__ import annotations

from configs.errors import BotError, ModelError
from serving.bot.schedule import Due
from serving.bot.task import TaskSpec
from serving.bot.task_services import Services


def _run(services: Services, due: Due) -> str:
    if not services.config.retrain.enabled:
        return "retrain.enabled is false"
    return train_again(services)


class _BotStops(BaseException):
    """Ends a training between two blocks; no error, so that the journal has the training as an interrupted one."""


def _end_early(services: Services) -> None:
    if services.stopped():
        raise _BotStops


def train_again(services: Services, *, force: bool = False) -> str:
    """Train the kinds that are due, or all with ``force``; return what was done, or why nothing was, in words.

    Raises
    ------
    ModelError
        A kind could not be trained.
    BotError
        The bot was stopped in the middle.
    """
    from serving.retraining.plan import plan_retraining
    from serving.retraining.retrain import retrain
    from serving.retraining.shadows import check_shadows
    from training.trainer import Callbacks

    journal, models, config, bot = services.journal, services.manager, services.config, services.bot
    plans = plan_retraining(journal, models, config, bot, services.clock(), force=force)
    callbacks = Callbacks(progress=lambda progress: _end_early(services))
    try:
        done = retrain(journal, models, config, bot, plans, cluster=services.cluster, callbacks=callbacks)
    except _BotStops:  # the run failed: one that was done would not be due before the next tick, in a week perhaps
        raise BotError("the bot is stopped; the next start continues the training.") from None
    if done:
        check_shadows(journal, models, config, bot, services.clock())
    text = "; ".join(f"{one.kind}: {one.version or ''} {one.text}".replace(":  ", ": ") for one in done)
    if any(one.failed for one in done):
        raise ModelError(text)
    return text or "; ".join(f"{one.kind} is not due: {one.due.reason}" for one in plans)


SPEC = TaskSpec(
    name="retraining",
    title="training of what is due",
    place=50,
    schedule="every 1h",
    run=_run,
    after=("monitoring",),
    at_start=False,
)

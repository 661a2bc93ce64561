"""The process of a bot: signals that end it in an orderly way, and tasks that run once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING

import typer

from configs.bot import BotConfig

if TYPE_CHECKING:
    from serving.bot.prediction_bot import MLPredictionBot


def run_bot(bot: MLPredictionBot) -> None:
    """Run until SIGINT or SIGTERM; transactions in progress are finished. A second signal ends the process.

    A task that does not finish within some seconds, such as a block of a training, ends with the process.
    """
    stop = Event()

    def end(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        name, journal = bot.config.bot.name, bot.journal.url
        own = f" --store {bot.store.uri}" + (f" --set bot.name={name}" if name != BotConfig().name else "")
        typer.echo(
            f"bot {name}, journal {journal}\n  status  fleetcast bot status{own}\n  stop    Ctrl-C\n"
            "  log     fleetcast --verbose bot run logs what each task does",
            err=True,
        )
        left = bot.run(stop)
        if left:
            typer.echo(f"not finished, and done again at the next start: {', '.join(left)}", err=True)
            bot.close()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)  # Python cannot end a thread in the middle of a training
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_once(bot: MLPredictionBot, tasks: Sequence[str] | None) -> int:
    """Run tasks once, in order, and print what each did; return the exit code, 1 if one failed."""
    from serving.bot.catalog import OFF, catalog

    given = bot.config.bot.schedules
    chosen = [spec for name, spec in catalog().items() if (name in tasks if tasks else given.get(name) != OFF)]
    failed = False
    for ended in bot.run_once(chosen):
        failed = failed or ended.failed
        print(f"{ended.task}: {ended.text}", file=sys.stderr if ended.failed else sys.stdout)
    return int(failed)

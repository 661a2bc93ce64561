"""The output of ``fleetcast train``: the plan, progress (a live bar on a terminal, else lines) and the leaderboard."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from cluster.views.console import make_console, progress_shown
from cluster.views.forecast_table import render_forecasts, rows_of_run
from cluster.views.leaderboard import render, to_json
from cluster.views.next_steps import next_steps
from configs.feature_groups import group_of_column
from configs.words import counted
from features.store.store import Store
from training.registry.manager import ModelManager
from training.run import queue
from training.run.run_plan import RunPlan
from training.trainer import Callbacks, TrainingResult

DEFAULT_STORE = ".fleetcast"
_LINE_EVERY_S = 10.0
_READ_LINES = 8


@contextmanager
def watching(quiet: bool) -> Iterator[Callbacks]:
    """Yield the callbacks that show a run; if ``quiet``, nothing is shown and stdout is reserved for JSON."""
    with progress_shown(_Watch, quiet) as watch:
        yield Callbacks() if watch is None else Callbacks(watch.planned, watch.progressed)


def show_result(result: TrainingResult, store: Store, as_json: bool) -> None:
    """Print the leaderboard and the store of the versions, or one JSON document."""
    if as_json:
        print(json.dumps(to_json(result.results, result.seconds), allow_nan=False))
        return
    console = make_console()
    for part in render(result.results):
        console.print(part, soft_wrap=isinstance(part, Text))
    for note in result.plan.warnings:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)
    if rows := rows_of_run(result.results, result.plan.config):
        console.print("\nnewest forecasts", style="bold")
        symbols = len({symbol for kind in result.results for symbol in kind.per_symbol})
        for part in render_forecasts(rows, symbols=symbols):
            console.print(part, highlight=False, soft_wrap=isinstance(part, Text))
    stages = ", ".join(f"{stage} {value:.1f} s" for stage, value in result.seconds.items())
    console.print(f"\nmodels in {store.uri}; time: {stages}", highlight=False, soft_wrap=True)
    if rows:
        option = "" if store.uri == Store(DEFAULT_STORE).uri else f" --store {shlex.quote(store.uri)}"
        models = ModelManager(store)
        champions = [kind for kind in models.kinds() if models.aliases(kind).champion]
        for line in next_steps(result.results, option, champions):
            console.print(line, highlight=False, soft_wrap=True)
    if groups := sorted({group_of_column(name) or "" for name in result.plan.feature_names} - {""}):
        hint = "what each adds: fleetcast ablation, with the same settings"
        console.print(f"the models read {', '.join(groups)}; {hint}", highlight=False, soft_wrap=True)


class _Watch:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = self._last_line = time.monotonic()
        self._first: int | None = None
        self._done, self._done_at = 0, self._started
        self._printed = ""
        self._restarted = self._nodes = 0
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("symbol models"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[pace]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("reading bars", total=None, pace="")
        self._bar.start()

    def planned(self, plan: RunPlan, done: int) -> None:
        kinds = plan.config.run.kinds
        blocks = [job for job in plan.blocks(kinds[0]) if not job.fold]
        symbols = sum(len(job.symbols) for job in blocks)
        source = f"{counted(symbols, 'symbol')} from {_bars(plan.config.data.bars)}"
        workers = plan.config.run.workers or "all processors"
        finished = f", {done} of {len(plan.jobs)} jobs finished before" if done else ""
        folds = max(map(len, plan.folds.values()), default=0)
        windows = f"{counted(folds, 'window')} of " if folds else ""
        without = ", ".join(plan.config.features.without)
        left_out = f" without {without}" if without else ""
        self._console.print(
            f"{'walking forward: ' if folds else 'training '}{' and '.join(kinds)} of {source}{left_out} "
            f"({counted(plan.bars, 'bar')}, {counted(len(plan.feature_names), 'feature')}) in "
            f"{windows}{counted(len(blocks), 'block')} on {workers}{finished}",
            highlight=False,
            soft_wrap=True,
        )
        for line in plan.read_as[:_READ_LINES]:
            self._console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
        if plan.skipped:
            self._console.print(
                f"skipping {len(plan.skipped)}: {_first_reasons(plan.skipped)}", highlight=False, soft_wrap=True
            )
        self._bar.update(self._task, description="starting workers")
        self._started, self._first = time.monotonic(), None

    def progressed(self, now: queue.Progress) -> None:
        pace = self._pace(now)
        status = "; ".join(part for part in (", ".join(now.running[:2]) or "starting workers", _workers(now)) if part)
        self._bar.update(self._task, description=status, total=now.symbols, completed=now.symbols_done, pace=pace)
        has_grown = len(now.nodes) > max(self._nodes, 1)
        is_news = now.begun_again > self._restarted or has_grown
        if not self._console.is_terminal and (is_news or time.monotonic() - self._last_line > _LINE_EVERY_S):
            self._last_line, self._restarted = time.monotonic(), now.begun_again
            self._nodes = max(self._nodes, len(now.nodes))
            parts = (f"{now.symbols_done}/{now.symbols} symbol models", status, pace)
            line = "; ".join(part for part in parts if part)
            if line != self._printed:
                self._printed = line
                self._console.print(line, highlight=False)
                sys.stdout.flush()

    def _pace(self, now: queue.Progress) -> str:
        """Return the symbols a minute and the time left.

        Between two finished blocks the time counts down. It is not given before a tenth is done, nor once it is over.
        """
        time_s = time.monotonic()
        if self._first is None:
            self._first = self._done = now.symbols_done
        if now.symbols_done != self._done:
            self._done, self._done_at = now.symbols_done, time_s
        finished = self._done - self._first
        if not finished or self._done_at <= self._started:
            return ""
        rate = finished / (self._done_at - self._started)
        left = max(now.symbols - self._done, 0) / rate - (time_s - self._done_at)
        known = left > 0 and 10 * self._done >= now.symbols
        return f"{60 * rate:.0f}/min" + (f", about {left:.0f} s left" if known else "")

    def close(self) -> None:
        self._bar.stop()


def _workers(now: queue.Progress) -> str:
    """Return the number of workers, if they are on several nodes, and of jobs restarted after a worker died."""
    parts = [f"{sum(now.nodes.values())} workers on {len(now.nodes)} nodes"] if len(now.nodes) > 1 else []
    if now.begun_again:
        parts.append(f"{counted(now.begun_again, 'job')} restarted after a worker died")
    return "; ".join(parts)


def _bars(given: str | Sequence[str]) -> str:
    return given if isinstance(given, str) else counted(len(given), "file")


def _first_reasons(reasons: dict[str, str], count: int = 3) -> str:
    shown = "; ".join(f"{symbol}: {reason}" for symbol, reason in list(reasons.items())[:count])
    return shown + ("; …" if len(reasons) > count else "")

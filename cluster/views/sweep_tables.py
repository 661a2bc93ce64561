"""The output of ``fleetcast tune``: the task, a line per trial (a live table on a terminal) and the verdict."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live

from cluster.views.console import make_console, progress_shown
from cluster.views.wide_table import WideTable
from configs.words import counted
from training.tasks import task_of
from tuning.optimizer import Callbacks, Tuned
from tuning.study import SweepStudy
from tuning.sweep_task import SweepTask
from tuning.trial_view import TrialView, varied

_SHOWN = 8


@contextmanager
def watching(quiet: bool) -> Iterator[Callbacks]:
    """Yield the callbacks that show a sweep; if ``quiet``, nothing is shown and stdout is reserved for JSON."""
    with progress_shown(_Watch, quiet) as watch:
        yield Callbacks() if watch is None else Callbacks(watch.began, watch.ended)


def show_tuned(tuned: Tuned, options: Sequence[str], as_json: bool) -> None:
    """Print the best trials, the verdict and the next command with these ``options``, or one JSON document."""
    verdict = tuned.verdict
    if as_json:
        states = _counts(tuned.trials)
        document = verdict.model_dump(mode="json") | {"parameters": tuned.best_parameters, "trials": states}
        print(json.dumps(document | {"report": tuned.report, "storage": tuned.url}, allow_nan=False))
        return
    console, kind = make_console(), verdict.kind
    console.print(_table(tuned.trials, kind, verdict.default_trial))
    winner = f"trial {verdict.trial} {verdict.loss:.5f}, " if not verdict.tied else ""
    difference = f" (difference {verdict.gain})" if winner else ""
    lines = [
        f"on the last fold, which no trial saw: {winner}default {verdict.default_loss:.5f}{difference}, "
        f"{task_of(kind).baseline} {verdict.baseline:.5f}",
        verdict.default_comparison,
        verdict.baseline_comparison,
        *verdict.exclusions,
        *(f"failed trial {trial.number}: {trial.reason}" for trial in tuned.trials if trial.state == "fail"),
        f"report: {tuned.report}",
        f"all trials: uvx optuna-dashboard {tuned.url}",
        _advice(tuned, options),
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _advice(tuned: Tuned, options: Sequence[str]) -> str:
    if tuned.verdict.chosen == "default":
        return "no settings to train with: the configuration stays as it is"
    return f"train with it: {shlex.join(['fleetcast', 'train', '--study', tuned.verdict.study, *options])}"


def _table(trials: Sequence[TrialView], kind: str, default: int | None = None) -> WideTable:
    finished = sorted((one for one in trials if one.loss is not None), key=lambda one: one.loss or 0.0)[:_SHOWN]
    paths = varied(trials) if len(finished) > 1 else sorted({path for one in finished for path in one.values})
    counts = ", ".join(f"{count} {state}" for state, count in _counts(trials).items())
    task = task_of(kind)
    return WideTable(
        [
            "trial",
            task.loss_title,
            f"less {task.baseline}",
            *(path.removeprefix(f"{kind}.") for path in paths),
        ],
        [
            [
                f"{one.number} (default)" if one.number == default else str(one.number),
                f"{one.loss:.5f}",
                "" if one.edge is None else str(one.edge),
                *(_text(one.values.get(path)) for path in paths),
            ]
            for one in finished
        ],
        title=f"the best of {counted(len(trials), f'{kind} trial')} ({counts}), on the sweep's folds",
        caption=f"± standard error by day; {task.baseline} is scored on each trial's own rows, after its window",
        first_bold=True,
    )


def _counts(trials: Sequence[TrialView]) -> Mapping[str, int]:
    states = [trial.state for trial in trials]
    return {state: states.count(state) for state in ("complete", "pruned", "fail") if state in states}


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class _Watch:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._kind = ""

    def began(self, task: SweepTask, study: SweepStudy) -> None:
        symbols, done = len(task.panel.symbols), len(study.trials)
        if task.skipped:
            reasons = "; ".join(f"{name}: {why}" for name, why in list(task.skipped.items())[:3])
            self._console.print(
                f"skipping {len(task.skipped)}: {reasons}", highlight=False, soft_wrap=True, markup=False
            )
        before = f", {done} finished before" if done else ""
        self._kind = task.kind
        self._console.print(
            f"study {study.name}: {counted(study.left, 'trial')} of {task.kind} models{before}; each fits "
            f"{counted(symbols, 'symbol')} on {counted(len(task.folds), 'fold')}, scored "
            f"up to {str(task.folds[-1].test_end)[:10]}; judged on {str(task.last.test_start)[:10]} to {task.until}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
        if self._console.is_terminal and study.left:
            self._live = Live(console=self._console, transient=True, refresh_per_second=2)
            self._live.start()

    def ended(self, study: SweepStudy) -> None:
        trials = study.trials
        if self._live is not None:
            self._live.update(_table(trials, self._kind))
            return
        best = min((trial.loss for trial in trials if trial.loss is not None), default=None)
        line = _line(study.latest, len(trials), study.config.trials, best)
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()


def _line(trial: TrialView, done: int, total: int, best: float | None) -> str:
    if trial.loss is not None:
        result = f"{trial.loss:.5f}"
    else:
        result = trial.reason or f"ended after {counted(max(trial.curve, default=0), 'epoch')}"
    best_so_far = "" if best is None else f"; best {best:.5f}"
    return f"{done}/{total}: trial {trial.number} {trial.state}, {result}{best_so_far}"

"""The output of ``fleetcast walk-forward``: scores over all windows and by window, in words and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cluster.views.leaderboard import verdicts
from cluster.views.scores_table import figure, scores_table
from cluster.views.walk_stability import parameters_json, parameters_table
from configs.words import counted, signed
from training.metrics.comparison import Comparison, MetricSummary
from training.registry.walk_forwards import KindScores, WalkForwardRun
from training.run.kind_result import KindResult
from training.tasks import task_of
from training.validation.skill_by_window import best_by_window, trend
from training.walk_forward import WalkForwardResult

if TYPE_CHECKING:
    from rich.console import RenderableType

_ERRORS = 1.96


def walk_json(result: WalkForwardResult) -> dict[str, Any]:
    """Return a run as one JSON document."""
    run = result.run
    return {
        "name": run.name,
        "windows": max(len(scores.windows) for scores in run.kinds.values()),
        "symbols": list(run.symbols),
        "left_over": run.left_over,
        "jobs": result.jobs,
        "fits": result.fits,
        "failed": result.failed,
        "skipped": result.plan.skipped,
        "seconds": result.seconds,
        "kinds": {kind: _kind_json(scores) for kind, scores in run.kinds.items()},
    }


def render_walk(run: WalkForwardRun) -> Iterator[RenderableType]:
    """Yield the tables and sentences of each kind."""
    from rich.text import Text

    for scores in run.kinds.values():
        tested = [window for window in scores.windows if window.file]
        if not tested:
            yield Text(f"\n{scores.kind}: {scores.why_empty}", style="bold")
            continue
        first, last = tested[0].periods["test"][0], tested[-1].periods["test"][1]
        windows = counted(len(scores.windows), "window")
        yield Text(f"\n{scores.kind}, out of sample {first} to {last} in {windows}", style="bold")
        yield scores_table(_as_result(scores))
        for sentence in verdicts(_as_result(scores)):
            yield Text(sentence)
        yield _by_window(scores)
        yield from map(Text, _sentences(scores))
        if (table := parameters_table(scores)) is not None:
            yield table


def _as_result(scores: KindScores) -> KindResult:
    return KindResult(scores.kind, scores.metrics)


def _differences(scores: KindScores) -> list[Comparison]:
    task = task_of(scores.kind)
    return [MetricSummary(window.metrics).difference(task.loss, task.baseline) for window in scores.windows]


def _by_window(scores: KindScores) -> RenderableType:
    from cluster.views.wide_table import WideTable

    task = task_of(scores.kind)
    baseline = dict(task.layout.references)[task.baseline].removeprefix("the ")
    rows = []
    for window, difference in zip(scores.windows, _differences(scores), strict=True):
        summary = MetricSummary(window.metrics)
        left_out = len(window.skipped) + len(window.failed)
        rows.append(
            [
                f"{window.periods['test'][0]} to {window.periods['test'][1]}",
                f"{window.symbols}" + (f" (−{left_out})" if left_out else ""),
                figure(Comparison(summary.model(task.loss).value, math.nan)).removesuffix(" ± ?"),
                figure(difference),
            ]
        )
    headings = ["test window", "symbols", task.loss_title, f"difference from {baseline}"]
    caption = "negative is better; ± standard error, clustered by day"
    if any(window.skipped or window.failed for window in scores.windows):
        caption += "; in brackets: symbols left out, for the reasons in --json"
    return WideTable(headings, rows, caption=caption, first_bold=False)


def _sentences(scores: KindScores) -> Iterator[str]:
    """Say whether skill fades, and who would have been best when."""
    task, slope = task_of(scores.kind), trend(_differences(scores))
    name = dict(task.layout.references)[task.baseline]
    if slope.is_known:
        clear = abs(slope.value) > _ERRORS * slope.se
        word = ("skill fades" if slope.value > 0 else "skill grows") if clear else "no trend is detectable"
        yield f"{word}: the difference from {name} changes by {signed(slope.value)} ± {slope.se:.4f} a window"
    titles = dict(task.layout.references)
    best = best_by_window(scores.kind, [window.metrics for window in scores.windows])
    if best:
        parts = [f"{titles.get(one, 'the model')} in {count}" for one, count in best.most_common()]
        yield f"lowest {task.loss_title} of {counted(best.total(), 'window')}: {', '.join(parts)}"


def _kind_json(scores: KindScores) -> dict[str, Any]:
    slope = trend(_differences(scores))
    return {
        "horizon": scores.horizon,
        "metrics": scores.metrics,
        "trend": _known(slope.value),
        "trend_se": _known(slope.se),
        "best": dict(best_by_window(scores.kind, [window.metrics for window in scores.windows])),
        "parameters": parameters_json(scores),
        "by_window": [window.model_dump(exclude={"file", "sha256", "blocks"}) for window in scores.windows],
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

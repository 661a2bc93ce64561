"""The leaderboard of a training run: each model next to its baselines with standard errors, in words and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cluster.views.scores_table import figure, scores_table
from configs.words import counted, signed
from training.metrics.comparison import MetricSummary
from training.run.kind_result import KindResult
from training.tasks import Task, task_of
from training.validation.verdict import MATERIAL, coverage_verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

# |difference| / standard error from which a difference is called one: 5 % two-sided.
SIGNIFICANT = 1.96
_SAME = 1e-6  # of the baseline's loss


def verdicts(result: KindResult) -> list[str]:
    """Return one plain sentence per baseline: better, worse or no detectable edge, with the paired difference.

    Further sentences name members that are better than the model, and judge a direction model's most likely class. A
    model that is equal to a baseline says only that, and what it loses to.
    """
    task, summary = task_of(result.kind), MetricSummary(result.summary)
    same = [words for name, words in task.layout.references if _is_same(summary, task.loss, name)]
    out = [
        _verdict(summary, task, name, words)
        for name, words in task.layout.references
        if summary.compares(task.loss, name)
    ]
    for name, words in task.layout.members:
        difference = summary.difference(task.loss, name)
        if difference.is_known and difference.value > SIGNIFICANT * difference.se:
            out.append(_verdict(summary, task, name, words))
    return out + ([] if same else label_sentences(result.summary))


def _is_same(summary: MetricSummary, metric: str, name: str) -> bool:
    """Whether a model's loss is that of a baseline on every day, so that it adds nothing to it."""
    found, base = summary.difference(metric, name), summary.baseline(metric, name).value
    return found.is_known and base > 0 and max(abs(found.value), found.se) <= _SAME * base


def label_sentences(metrics: Mapping[str, Any]) -> list[str]:
    """Compare the accuracy of the most likely class with the class prior's: one sentence, or none."""
    summary = MetricSummary(metrics)
    if summary.model("mcc").value == 0.0:
        return ["the most likely class is always the same: only the probabilities can carry information"]
    found = summary.difference("up_down_accuracy", "prior")
    if not found.is_known:
        return []
    shown = f"difference {signed(100 * found.value, 1)} ± {100 * found.se:.1f} points"
    if abs(found.value) <= SIGNIFICANT * found.se:
        return [f"no detectable edge over the class prior in up/down accuracy: {shown}"]
    worse, side = ("WORSE: ", "below") if found.value < 0 else ("", "above")
    return [f"{worse}up/down accuracy is {side} the class prior's ({shown})"]


def render(results: Sequence[KindResult], extremes: int = 3) -> list[RenderableType]:
    """Return what to print: a table, verdicts and extremes of each kind, then skipped and failed symbols and times."""
    from rich.table import Table
    from rich.text import Text

    out: list[RenderableType] = []
    periods: Mapping[str, tuple[str, str]] = {}
    for result in results:
        count, days = (result.summary.get(key, 0.0) for key in ("rows", "days"))
        tested = f"{counted(count, 'row')} on {counted(days, 'day')}"
        out.append(Text(f"{result.kind}: untouched test period, {tested}", style="bold"))
        if result.periods and result.periods != periods:
            out.append(Text("  " + _spans(result.periods)))
        if count:
            out.append(scores_table(result, explained=result is results[0]))
        periods = result.periods
        out += [Text(f"  {sentence}") for sentence in verdicts(result)]
        out += [
            Text(f"  {line}") for line in (_alone(result), *_borrowed(result), *_extremes(result, extremes)) if line
        ]
        if any(result.published.values()):
            out.append(Text("  " + _published(result)))
        if result.version:
            out.append(Text(f"  version {result.version}{': ' + result.decision if result.decision else ''}"))
        out.append(Text(""))
    for word, rows in (
        ("skipped", _symbol_reasons(results, "skipped")),
        ("failed", _symbol_reasons(results, "failed")),
    ):
        if rows:
            table = Table(title=f"{word}: {len(rows)}", title_justify="left", box=None)
            table.add_column("symbol", no_wrap=True)
            table.add_column("reason")
            for row in rows[:20]:
                table.add_row(Text(row["symbol"]), Text(row["reason"]))
            if len(rows) > 20:
                table.add_row("…", f"and {len(rows) - 20} more; --json lists all")
            out.append(table)
    seconds = _seconds(results)
    if seconds:
        out.append(Text("time  " + "  ".join(f"{stage} {value:.1f} s" for stage, value in seconds.items())))
    return out


def to_json(results: Sequence[KindResult], seconds: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Return the document that ``train --json`` prints; NaN and infinity become null.

    ``seconds`` adds stages that belong to no kind, such as reading bars.
    """
    trained = {symbol for result in results for symbol in result.per_symbol}
    return {
        "version": {result.kind: result.version for result in results},
        "symbols": {
            "trained": len(trained),
            "skipped": _symbol_reasons(results, "skipped"),
            "failed": _symbol_reasons(results, "failed"),
        },
        "metrics": {result.kind: {key: _finite(value) for key, value in result.summary.items()} for result in results},
        "seconds": {stage: _finite(value) for stage, value in {**(seconds or {}), **_seconds(results)}.items()},
    }


def _verdict(summary: MetricSummary, task: Task, name: str, words: str) -> str:
    difference, error = found = summary.difference(task.loss, name)
    shown = f"difference {signed(difference)} ± {error:.4f}"
    if _is_same(summary, task.loss, name):
        return f"the model equals {words}: the features add nothing to it, and every forecast is the same"
    if not found.is_known:
        return f"{task.loss_title} against {words}: too few test days to tell"
    base = summary.baseline(task.loss, name).value
    if abs(difference) <= SIGNIFICANT * error:
        return f"no detectable edge over {words}: {task.loss_title} {shown}"
    if math.isfinite(base) and abs(difference) <= MATERIAL * base:
        small = f"under {100 * MATERIAL:g} % of the loss"
        return f"no edge that matters over {words}: {task.loss_title} {shown} is beyond chance, but {small}"
    percent = f"{abs(difference) / base * 100:.1f} % " if math.isfinite(base) and base > 0 else ""
    side = "below" if difference < 0 else "above"
    digits = 0 if abs(difference) > 10 * error else 1
    distance = f", {abs(difference) / error:.{digits}f} standard errors" if error else ""
    worse = "" if difference < 0 else "WORSE: "
    return f"{worse}{task.loss_title} {percent}{side} {words}{distance} ({shown})"


def _spans(periods: Mapping[str, tuple[str, str]]) -> str:
    valid, test = (" to ".join(periods[part]) for part in ("valid", "test"))
    return f"trained up to {periods['train'][1]}, chosen and calibrated on {valid}, tested on {test}"


def _published(result: KindResult) -> str:
    """Return up to when the published models have seen data, which is later than what the test has judged."""
    trained, calibrated = (result.published[name][:10] for name in ("trained_to", "calibrated_to"))
    again = "fitted again " if calibrated > max(result.periods["valid"][1], "") else ""
    return f"published: {again}on outcomes up to {trained}; newer ones, up to {calibrated}, calibrate it"


def _alone(result: KindResult) -> str:
    summary = MetricSummary(result.summary)
    alone = [one for one in task_of(result.kind).layout.alone if summary.has(one.name)]
    shown = [f"{heading} {figure(summary.model(key), factor)}" for key, heading, factor in alone]
    return "; ".join([*shown, *coverage_sentence(result.kind, result.summary, result.coverage_level)])


def coverage_sentence(kind: str, metrics: Mapping[str, Any], level: float | None) -> list[str]:
    """Return how many outcomes sets or intervals contain, and how many they should: one sentence, or none."""
    found, what = MetricSummary(metrics).model("coverage"), task_of(kind).layout.coverage.title
    if level is None or not math.isfinite(found.value):
        return []
    words = coverage_verdict(found.value, found.se, level)
    return [f"coverage of {what} {figure(found, 100.0)} % of {100 * level:g} %: {words}"]


def _borrowed(result: KindResult) -> list[str]:
    """Return the baselines and members that are scored on the model's forecast in rows where they have none."""
    shares = {k.removeprefix("borrowed_"): v for k, v in result.summary.items() if k.startswith("borrowed_")}
    return [
        f"{name} has no forecast for {share:.1%} of the rows and repeats the model's" for name, share in shares.items()
    ]


def _extremes(result: KindResult, count: int) -> list[str]:
    """Return the best and worst symbols by paired difference, and the number of significant ones."""
    task = task_of(result.kind)
    references = [name for name, _ in task.layout.references]
    name = next((one for one in references if MetricSummary(result.summary).compares(task.loss, one)), None)
    if name is None:
        return []
    found = {symbol: MetricSummary(own).difference(task.loss, name) for symbol, own in result.per_symbol.items()}
    scored = {symbol: one for symbol, one in found.items() if math.isfinite(one.value)}
    if len(scored) < 2:
        return []
    ranked = sorted(scored, key=lambda symbol: (scored[symbol].value, symbol))
    count = min(count, len(ranked) // 2)

    def show(symbols: Sequence[str]) -> str:
        shown = (f"{symbol} {signed(scored[symbol].value)} ± {scored[symbol].se:.4f}" for symbol in symbols)
        return ", ".join(text.replace(" -", " −") for text in shown)

    beyond = sum(abs(one.value) > SIGNIFICANT * one.se for one in scored.values())
    words = dict(task.layout.references)[name]
    return [
        f"best  symbols, {task.loss_title} less {words}: {show(ranked[:count])}",
        f"worst symbols, {task.loss_title} less {words}: {show(ranked[: -count - 1 : -1])}",
        f"{beyond} of {len(scored)} symbols differ by more than {SIGNIFICANT} standard errors; "
        f"about {len(scored) * 0.05:.0f} would by chance",
    ]


def _symbol_reasons(results: Sequence[KindResult], which: str) -> list[dict[str, str]]:
    """Return each (symbol, reason) once: both kinds usually skip a symbol for the same reason."""
    pairs = dict.fromkeys((symbol, reason) for result in results for symbol, reason in getattr(result, which))
    return [{"symbol": symbol, "reason": reason} for symbol, reason in sorted(pairs)]


def _seconds(results: Sequence[KindResult]) -> dict[str, float]:
    total: dict[str, float] = {}
    for result in results:
        for stage, value in result.seconds.items():
            total[stage] = total.get(stage, 0.0) + value
    return total


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

"""The table of a model's scores on its test period, with its baselines and members."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from training.metrics.comparison import Comparison, MetricSummary
from training.run.kind_result import KindResult
from training.tasks import Task, task_of

if TYPE_CHECKING:
    from cluster.views.wide_table import WideTable


def scores_table(result: KindResult, *, explained: bool = True) -> WideTable:
    """Return a row for the model, then for each baseline and member; if ``explained``, with a line on the errors."""
    from cluster.views.wide_table import WideTable

    task, summary = task_of(result.kind), MetricSummary(result.summary)
    others = summary.baselines(task.loss)
    # An accuracy means nothing without a baseline to compare it with.
    columns = [c for c in task.layout.columns if summary.has(c.name) and (others or not c.name.endswith("accuracy"))]
    titles = dict((*task.layout.references, *task.layout.members))
    references = {name for name, _ in task.layout.references}
    rows = [["model", *(_cell(task, summary.model(key), key, factor) for key, _, factor in columns)]]
    for group, is_reference in (("baselines", True), ("its members, each alone", False)):
        names = [name for name in others if (name in references) == is_reference]
        rows += [[group, *("" for _ in columns)]] if names else []
        for name in names:
            cells = (_cell(task, summary.baseline(key, name), key, factor) for key, _, factor in columns)
            rows.append([f"  {_short(titles.get(name, name))}", *cells])
    headings = ["", *(heading for _, heading, _ in columns)]
    caption = "± standard error, clustered by day" if explained else None
    return WideTable(headings, rows, caption=caption, first_bold=True)


def figure(found: Comparison, factor: float = 1.0) -> str:
    """Return a value with its standard error; in per cent with one digit, otherwise with four."""
    value, error, digits = found.value * factor, found.se * factor, 1 if factor == 100.0 else 4
    if not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}".replace("-", "−")
    return f"{text} ± {error:.{digits}f}" if math.isfinite(error) else f"{text} ± ?"


def _cell(task: Task, found: Comparison, key: str, factor: float) -> str:
    if key in task.layout.roots and found.value > 0:  # the error of a root, to first order
        root = math.sqrt(found.value)
        found = Comparison(root, found.se / (2 * root))
    return figure(found, factor)


def _short(title: str) -> str:
    """Return a title without the words that only sentences need."""
    words = title.removeprefix("the ").removeprefix("its own ")
    return words.removesuffix(" member").removesuffix(" alone")

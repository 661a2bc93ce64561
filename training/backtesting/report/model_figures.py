"""Charts of the models behind a backtest and of its simulations: losses, calibration, and Monte Carlo."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from training.backtesting.report.charts import OWN, SOFT, colour_of, figure, label
from training.backtesting.result import BacktestResult
from training.metrics.comparison import MetricSummary
from training.registry.walk_forwards import KindScores
from training.tasks import task_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ERRORS = 1.96


def losses(scores: KindScores) -> Figure:
    """Return the mean loss of the model and its baselines in each window."""
    task = task_of(scores.kind)
    summaries = [MetricSummary(window.metrics) for window in scores.windows]
    starts = window_starts(scores)
    drawn = figure(task.loss_title)
    for i, (name, title) in enumerate(task.layout.references):
        values = [one.baseline(task.loss, name).value for one in summaries]
        drawn.add_scatter(x=starts, y=values, name=title, mode="lines+markers", line=_line(colour_of(i)))
    own = [one.model(task.loss).value for one in summaries]
    drawn.add_scatter(x=starts, y=own, name="model", mode="lines+markers", line=_line(OWN, 2.2), legendrank=1)
    return drawn


def gains(scores: KindScores) -> Figure:
    """Return the difference of the model's loss from the best baseline's in each window, with 95 % intervals."""
    task = task_of(scores.kind)
    found = [MetricSummary(window.metrics).difference(task.loss, best_baseline(scores)) for window in scores.windows]
    drawn = figure(f"{task.loss_title}, difference", showlegend=False)
    drawn.add_scatter(
        x=window_starts(scores),
        y=[one.value for one in found],
        error_y={"type": "data", "array": [_ERRORS * one.se for one in found], "color": OWN, "thickness": 1.2},
        mode="markers",
        marker={"color": OWN, "size": 7},
        name="model less baseline",
    )
    drawn.add_hline(0.0, line={"color": SOFT, "width": 1})
    return drawn


def calibration(result: BacktestResult, kind: str) -> Figure | None:
    """Return coverage against its nominal level, or the calibration error of probabilities, by window.

    Intervals of 95 % are drawn where a walk-forward run knows the standard errors by day.
    """
    found = result.calibration[result.calibration["kind"] == kind]
    days = [f"{one:%Y-%m-%d}" for one in found["first"]]
    for column, metric, title, nominal in (
        ("coverage", "coverage", "outcomes within the interval", True),
        ("calibration_error", "ece", "calibration error", False),
    ):
        if column not in found.columns or not np.isfinite(found[column].to_numpy(np.float64)).any():
            continue
        drawn = figure(title, is_share=True, showlegend=False)
        values = found[column].to_numpy(np.float64)
        errors = {"type": "data", "array": _errors(result, kind, metric), "color": OWN, "thickness": 1.2}
        drawn.add_scatter(x=days, y=values, error_y=errors, mode="lines+markers", line=_line(OWN, 2.0), name=title)
        if nominal:
            wanted = task_of(kind).coverage_level(result.config)
            drawn.add_hline(wanted, line={"color": SOFT, "dash": "dot", "width": 1}, annotation_text=f"{wanted:.0%}")
        else:
            drawn.update_yaxes(rangemode="tozero")
        return drawn
    return None


def monte_carlo(result: BacktestResult) -> Figure:
    """Return the Sharpe ratios of all kinds of simulations, from the 5 % to the 95 % quantile, and the strategy's."""
    drawn = figure("", showlegend=False, hovermode="closest", xaxis={"title": {"text": "Sharpe ratio"}})
    ranges = sharpe_ranges(result)
    ends = [0.0, *(value for one in ranges.values() for value in one)]
    for title, (low, middle, high) in ranges.items():
        name = label(title)
        drawn.add_scatter(x=[low, high], y=[name, name], mode="lines", line={"color": "var(--side)", "width": 8})
        drawn.add_scatter(x=[middle], y=[name], mode="markers", marker={"color": "var(--ink)", "size": 9}, name=name)
    if math.isfinite(result.sharpe_ratio):
        drawn.add_vline(result.sharpe_ratio, line={"color": OWN, "width": 2})
    drawn.add_vline(0.0, line={"color": SOFT, "width": 1, "dash": "dot"})
    margin = 0.06 * (max(ends) - min(ends))
    drawn.update_xaxes(range=[min(ends) - margin, max(ends) + margin])
    drawn.update_yaxes(autorange="reversed", type="category", title=None)
    return drawn.update_layout(height=110 + 42 * len(drawn.data) // 2)


def sharpe_ranges(result: BacktestResult) -> dict[str, tuple[float, float, float]]:
    """Return the 5 %, 50 % and 95 % quantiles of the Sharpe ratios of each kind of simulation that was made."""
    found = result.simulated
    if found is None:
        return {}
    kinds = {
        "same positions, other times": found.timing,
        "noisy prices": found.noise.get("sharpe", {}),
        "other costs and settings": found.perturbed.get("sharpe", {}),
    }
    return {title: (one["5%"], one["50%"], one["95%"]) for title, one in kinds.items() if "50%" in one}


def best_baseline(scores: KindScores) -> str:
    """Return the baseline with the lowest loss over all windows, which is the hardest to beat."""
    task, summary = task_of(scores.kind), MetricSummary(scores.metrics)
    losses = {name: summary.baseline(task.loss, name).value for name, _ in task.layout.references}
    known = {name: loss for name, loss in losses.items() if math.isfinite(loss)}
    return min(known, key=lambda name: known[name]) if known else task.baseline


def window_starts(scores: KindScores) -> list[str]:
    """Return the first day of each test window."""
    return [window.periods["test"][0][:10] for window in scores.windows]


def _errors(result: BacktestResult, kind: str, metric: str) -> list[float | None]:
    """Return 1.96 standard errors of each window of the calibration; None where unknown."""
    windows = result.origin.windows[kind].windows if kind in result.origin.windows else ()
    errors = {window.number: MetricSummary(window.metrics).model(metric).se for window in windows}
    numbers = result.calibration.loc[result.calibration["kind"] == kind, "window"]
    found = [errors.get(int(number), math.nan) for number in numbers]
    return [_ERRORS * one if math.isfinite(one) else None for one in found]


def _line(colour: str, width: float = 1.3) -> dict[str, object]:
    return {"color": colour, "width": width}

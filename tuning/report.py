"""The report of a sweep: one HTML page with its plots and its verdict that needs no network."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from configs.space import encoded
from configs.words import counted
from training.tasks import task_of
from tuning.space import setting
from tuning.study import SweepStudy
from tuning.sweep_task import SweepTask
from tuning.sweep_verdict import SweepVerdict
from tuning.trial_view import TrialView, varied

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_CURVES = 12
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem; color: #1c2733; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
table { border-collapse: collapse; }
td, th { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #dde3ea; }
td:first-child, th:first-child { text-align: left; } .plot { overflow-x: auto; }
"""


def render(study: SweepStudy, task: SweepTask, verdict: SweepVerdict, trials: Sequence[TrialView]) -> str:
    """Return the page as HTML."""
    from plotly.offline import get_plotlyjs

    loss, baseline = task_of(task.kind).loss_title, task_of(task.kind).baseline
    last = f"{str(task.last.test_start)[:10]} to {str(task.last.test_end)[:10]}"
    winner = [("winner, trial " + str(verdict.trial), f"{verdict.loss:.5f}", str(verdict.gain))]
    rows = [
        *(winner if not verdict.tied else ()),
        ("default", f"{verdict.default_loss:.5f}", ""),
        (f"baseline ({baseline})", f"{verdict.baseline:.5f}", ""),
    ]
    parts = [
        f"<h1>Study {escape(study.name)}: {task.kind} models of {counted(len(task.panel.symbols), 'symbol')}</h1>",
        f"<h2>Last fold, {last}, which scored no trial ({loss})</h2>",
        _table(("", loss, "difference ± standard error by day"), rows),
        *(
            f"<p>{escape(line[:1].upper() + line[1:])}.</p>"
            for line in (verdict.default_comparison, verdict.baseline_comparison, *verdict.exclusions)
        ),
    ]
    if not verdict.tied:
        parts += ["<h2>Settings</h2>", _table(("setting", "winner", "default"), _settings(task, verdict))]
    for title, figure in _figures(study, trials, verdict, loss):
        parts += [
            f"<h2>{title}</h2>",
            '<div class="plot">',
            figure.to_html(full_html=False, include_plotlyjs=False),
            "</div>",
        ]
    head = f"<meta charset='utf-8'><title>{escape(study.name)}</title><style>{_STYLE}</style>"
    return (
        f"<!doctype html><html><head>{head}<script>{get_plotlyjs()}</script></head><body>{''.join(parts)}</body></html>"
    )


def _settings(task: SweepTask, verdict: SweepVerdict) -> Iterator[tuple[str, ...]]:
    for path, value in verdict.values.items():
        yield path, _short(value), _short(encoded(setting(task.config, path)))


def _figures(
    study: SweepStudy, trials: Sequence[TrialView], verdict: SweepVerdict, loss: str
) -> Iterator[tuple[str, Figure]]:
    """Yield the title and figure of every plot that the trials allow."""
    from optuna import visualization as draw

    first: dict[str, Any] = {"target": lambda trial: trial.values[0], "target_name": loss}
    default = next((trial.loss for trial in trials if trial.number == verdict.default_trial), None)
    makers: list[tuple[str, Callable[[], Figure]]] = [
        (f"History: {loss} on the sweep's folds", lambda: _history(study, first, default)),
        ("Importance of settings", lambda: _importance(study, first, trials)),
        ("Settings and losses", lambda: _parallel(study, first, verdict.values)),
        (
            "Validation loss on the first fold: the best trials, and those that were ended early",
            lambda: _curves(trials),
        ),
    ]
    if study.config.sampler == "nsga2":
        names = [loss, "seconds"]
        makers.append(("Loss against cost", lambda: draw.plot_pareto_front(study.optuna, target_names=names)))
    for title, make in makers:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                figure = make()
            except Exception:  # too few trials, or all are equal: every plot raises an error of its own
                continue
        figure.update_layout(title=None, template="plotly_white", margin={"t": 20})
        yield title, figure


def _importance(study: SweepStudy, first: Mapping[str, Any], trials: Sequence[TrialView]) -> Figure:
    """Return the importance of the settings that have several values; a constant one would have some by chance."""
    from optuna import visualization as draw

    names = varied(trials)
    if not names:
        raise ValueError("nothing varied")
    return draw.plot_param_importances(study.optuna, params=names, **first)


def _history(study: SweepStudy, first: Mapping[str, Any], default: float | None) -> Figure:
    from optuna import visualization as draw

    figure = draw.plot_optimization_history(study.optuna, **first)
    if default is not None:
        figure.add_hline(default, line_dash="dot", line_color="#8895a3", annotation_text="default")
    return figure


def _parallel(study: SweepStudy, first: Mapping[str, Any], paths: Iterable[str]) -> Figure:
    from optuna import visualization as draw

    figure = draw.plot_parallel_coordinate(study.optuna, **first)
    if not hasattr(figure.data[0], "dimensions"):
        raise ValueError("too few trials")
    for place, path in zip(figure.data[0].dimensions[1:], sorted(paths), strict=True):
        place.label = path.rpartition(".")[2]  # Optuna truncates labels at their end
    return figure


def _curves(trials: Sequence[TrialView]) -> Figure:
    """Return the validation curves of the first fold."""
    import plotly.graph_objects as go

    figure = go.Figure()
    best = sorted((trial for trial in trials if trial.loss is not None), key=lambda trial: trial.loss or math.inf)
    pruned = [trial for trial in trials if trial.state == "pruned"]
    for number, trial in enumerate([*pruned, *best[:_CURVES]]):
        epochs, early = sorted(trial.curve), number < len(pruned)
        name = "ended early" if early else f"trial {trial.number}"
        figure.add_scatter(
            x=epochs,
            y=[trial.curve[epoch] for epoch in epochs],
            name=name,
            legendgroup=name,
            showlegend=not early or number == 0,
            line={"color": "#c3ccd6"} if early else None,
        )
    if not any(len(line.x) for line in figure.data):
        raise ValueError("no trial has a curve")
    return figure.update_layout(xaxis_title="epoch", yaxis_title="validation loss")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]] | Iterator[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

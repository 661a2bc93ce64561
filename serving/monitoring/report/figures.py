"""Charts of the monitoring page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from serving.monitoring.forecast_rows import JUDGED_KINDS
from serving.monitoring.result import KindReport
from serving.monitoring.sentences import test_title
from training.backtesting.report.charts import OTHERS, OWN, SOFT, figure, label, level, stamps, thinned

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLOURS: Mapping[str, str] = {"worse": OTHERS[0], "faded": OTHERS[2], "coverage": OTHERS[3]}


def evidence(report: KindReport) -> Figure | None:
    """Return the evidence of each test by day as a share of what raises an alarm; None before there is any."""
    if not report.history:
        return None
    thresholds = {one.name: one.threshold for one in report.tests}
    lines = pd.DataFrame(
        [one.evidence for one in report.history], index=pd.DatetimeIndex([one.day for one in report.history])
    )
    drawn = figure("evidence, share of an alarm")
    for name in lines:
        few = thinned(lines[[name]])
        drawn.add_scatter(
            x=stamps(few.index),
            y=np.maximum(few[name].to_numpy(np.float64) / thresholds[str(name)], 1e-6),
            name=label(test_title(report, str(name))),
            mode="lines",
            line={"color": _COLOURS[str(name)], "width": 2},
        )
    drawn.update_yaxes(type="log", tickformat="~g")
    level(drawn, 1.0, "alarm")
    return drawn


def watch(report: KindReport) -> Figure | None:
    """Return the control chart of losses by day; None before there is any."""
    if not report.history:
        return None
    lines = pd.DataFrame(
        {"sum": [one.watch for one in report.history]}, index=pd.DatetimeIndex([one.day for one in report.history])
    )
    few = thinned(lines)
    drawn = figure("CUSUM, standard deviations", showlegend=False)
    drawn.add_scatter(
        x=stamps(few.index), y=few["sum"].to_numpy(), mode="lines", line={"color": OWN, "width": 2}, name="CUSUM"
    )
    level(drawn, report.watch.limit, "to be watched")
    return drawn


def calibration(report: KindReport) -> Figure | None:
    """Return frequencies (or realised volatility) against forecasts, with 95 % intervals; None without outcomes."""
    if not report.calibration:
        return None
    judged = JUDGED_KINDS[report.kind]
    drawn = figure(judged.outcome_title, is_share=True, hovermode="closest")
    groups = list(dict.fromkeys(one.what for one in report.calibration))
    colours = {name: OWN if len(groups) == 1 else OTHERS[i] for i, name in enumerate(groups)}
    for name in groups:
        rows = [one for one in report.calibration if one.what == name]
        drawn.add_scatter(
            x=[one.forecast for one in rows],
            y=[one.outcome for one in rows],
            error_y={"type": "data", "array": [1.96 * one.se for one in rows], "thickness": 1},
            name=label(name),
            mode="markers",
            marker={"color": colours[name], "size": 7},
        )
    ends = [f(one.forecast for one in report.calibration) for f in (min, max)]
    drawn.add_scatter(x=ends, y=ends, name="calibrated", mode="lines", line={"color": SOFT, "dash": "dot", "width": 1})
    drawn.update_xaxes(title={"text": judged.forecast_title}, tickformat=",.2~%")
    drawn.update_layout(margin={"b": 52})
    return drawn

"""The common look of all charts: colours by name from the page's style sheet, axes, and how long series are thinned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

OWN, SOFT, BAND = "var(--own)", "var(--soft)", "var(--band)"
OTHERS = ("var(--rust)", "var(--side)", "var(--ochre)", "var(--violet)", "var(--green)")
_POINTS = 1_200

Lines = pd.DataFrame
"""Dates × titles."""


def figure(y_title: str, *, is_share: bool = False, **layout: Any) -> Figure:
    """Return an empty chart; further settings are those of plotly's layout."""
    import plotly.graph_objects as go

    axis = {"gridcolor": "var(--line)", "linecolor": "var(--line)", "zeroline": False, "automargin": True}
    y = {
        **axis,
        "title": {"text": y_title, "standoff": 10},
        **({"tickformat": ",.2~%", "hoverformat": ",.2%"} if is_share else {}),
    }
    settings = {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": SOFT, "size": 12, "family": "system-ui, sans-serif"},
        "margin": {"l": 56, "r": 12, "t": 12, "b": 36},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "var(--paper)", "bordercolor": "var(--line)", "font": {"color": "var(--ink)"}},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    }
    drawn = go.Figure(layout=settings)
    drawn.update_xaxes(**{**axis, "tickangle": 0})
    drawn.update_yaxes(**y)
    return drawn.update_layout(**layout)


def add_lines(drawn: Figure, lines: Lines, colours: Mapping[str, str], how: Literal["last", "min"] = "last") -> None:
    """Draw a line a column, the first one above the others, in the colours of their titles."""
    few = thinned(lines, how)
    first, *others = few.columns
    for name in [*others, first]:
        is_own = name == first
        drawn.add_scatter(
            x=stamps(few.index),
            y=few[name].to_numpy(np.float64),
            name=label(name),
            mode="lines",
            line={"color": OWN if is_own else colours[name], "width": 2.2 if is_own else 1.3},
            legendrank=1 if is_own else 1000,
        )


def colour_of(place: int) -> str:
    """Return the colour of the n-th account that the strategy is compared with."""
    return OTHERS[place % len(OTHERS)]


def level(drawn: Figure, value: float, text: str) -> None:
    """Draw a horizontal line with its meaning."""
    drawn.add_hline(
        value,
        line={"color": SOFT, "dash": "dot", "width": 1},
        annotation={"text": text, "font": {"color": SOFT, "size": 11}},
        annotation_position="top right",
    )


def thinned(lines: Lines, how: Literal["last", "min"] = "last") -> Lines:
    """Return at most some thousand rows: the last or the smallest values of runs of equal length."""
    if len(lines) <= _POINTS:
        return lines
    run = np.arange(len(lines)) * _POINTS // len(lines)
    few = lines.groupby(run).agg(how)
    few.index = lines.index[np.flatnonzero(np.diff(run, append=_POINTS))]
    return few


def stamps(dates: pd.Index) -> list[str]:
    """Return dates as text; times of day only where there are any."""
    index = pd.DatetimeIndex(dates)
    is_daily = bool((index == index.normalize()).all())
    return list(index.strftime("%Y-%m-%d" if is_daily else "%Y-%m-%d %H:%M"))


def label(text: object) -> str:
    """Return text that plotly shows as it is; otherwise it would read tags in it."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""Whether what was fitted stays the same through the windows of a walk-forward run, as tables and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cluster.views.wide_table import WideTable
from configs.words import counted
from training.registry.walk_forwards import KindScores
from training.validation.stability import COLUMNS, rank_correlation, stability, top_counts

if TYPE_CHECKING:
    from rich.console import RenderableType

_FEATURES = 10


def parameters_table(scores: KindScores) -> WideTable | None:
    """Return a row per fitted parameter: its mean and standard deviation over windows, and its first and last value."""
    found = stability([window.parameters for window in scores.windows if window.parameters])
    if not len(found):
        return None
    shown = found[["mean", "sd", "first", "last"]].to_numpy(float)
    rows = [[str(name), *map(_number, row)] for name, row in zip(found.index, shown, strict=True)]
    caption = "means over symbols; sd: standard deviation over windows, whose train dates overlap"
    return WideTable(["fitted parameter", "mean", "sd", "first window", "last window"], rows, caption=caption)


def parameters_json(scores: KindScores) -> dict[str, dict[str, float | None]]:
    """Return the figures of :func:`.stability` by parameter."""
    found = stability([window.parameters for window in scores.windows if window.parameters])
    return {
        str(name): {key: _known(value) for key, value in zip(COLUMNS, row, strict=True)}
        for name, row in found.iterrows()
    }


def importance_parts(by_kind: Mapping[str, Mapping[int, Mapping[str, float]]]) -> Iterator[RenderableType]:
    """Yield, by kind, the features that are most important on average, and how alike the order is from one to next."""
    from rich.text import Text

    for kind, by_window in by_kind.items():
        if not by_window:
            yield Text(f"{kind}: the fits of no window are stored; run the command again to measure importances")
            continue
        windows = list(by_window.values())
        found, top = stability(windows), top_counts(windows, _FEATURES)
        best = found.sort_values("mean", ascending=False).head(_FEATURES)
        rows = [
            [str(name), *map(_number, (row["mean"], row["sd"], row["first"], row["last"])), f"{top[str(name)]}"]
            for name, row in best.iterrows()
        ]
        measured = counted(len(windows), "window")
        headings = [f"{kind}: importance", "mean", "sd", "first window", "last window", f"in the first {_FEATURES}"]
        caption = f"rise of the validation loss when a feature is permuted, in {measured}"
        yield WideTable(headings, rows, caption=caption)
        alike = rank_correlation(windows)
        if math.isfinite(alike):
            yield Text(f"the order of all features in neighbouring windows has a rank correlation of {_number(alike)}")


def importances_json(by_kind: Mapping[str, Mapping[int, Mapping[str, float]]]) -> dict[str, Any]:
    """Return importances by kind and window, with the rank correlation of neighbouring windows."""
    return {
        kind: {
            "by_window": {str(number): dict(found) for number, found in by_window.items()},
            "rank_correlation": _known(rank_correlation(list(by_window.values()))),
        }
        for kind, by_window in by_kind.items()
    }


def _number(value: float) -> str:
    return f"{value:.4f}".replace("-", "−") if math.isfinite(value) else "–"


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

"""Whether probabilities and intervals mean what they say, window by window of a walk-forward run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from features.labels import CLASSES
from training.metrics.calibration import expected_calibration_error


def calibration_by_window(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row a kind and window: ``kind, window, first, last, rows`` and what there are outcomes for.

    ``calibration_error`` is that of the probabilities; ``coverage`` the share of outcomes within the interval, and
    ``level`` the mean outcome over the mean forecast of variance, 1 if it is unbiased. Forecasts without a window are
    window 0.
    """
    rows = []
    for kind, table in tables.items():
        window = table["window"] if "window" in table.columns else pd.Series(0, index=table.index)
        for number, part in table.groupby(window, sort=True):
            days = part["date"].min(), part["date"].max()
            facts = {"kind": kind, "window": int(str(number)), "first": days[0], "last": days[1], "rows": len(part)}
            rows.append(facts | _figures(part))
    return pd.DataFrame(rows)


def _figures(part: pd.DataFrame) -> dict[str, float]:
    out: dict[str, float] = {}
    if "label" in part.columns:
        p = part[[f"p_{label}" for label in CLASSES]].to_numpy(np.float64)
        p = p / p.sum(axis=1, keepdims=True)
        out["calibration_error"] = expected_calibration_error(part["label"].to_numpy(np.int64), p)
    if "target" in part.columns:
        target = part["target"].to_numpy(np.float64)
        out["level"] = float(target.mean() / part["forecast"].to_numpy(np.float64).mean())
        out["coverage"] = float(((target >= part["low"]) & (target <= part["high"])).mean())
    return out

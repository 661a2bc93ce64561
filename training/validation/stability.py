"""Whether what is fitted stays the same through the windows of a walk-forward run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

COLUMNS = ("mean", "sd", "first", "last", "windows")


def stability(windows: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """Return how numbers vary through windows, a row per name.

    Columns are ``mean`` and ``sd`` over windows (NaN for one window), the values in the ``first`` and the ``last``
    window that has the number, and in how many ``windows`` it is. Train windows overlap, so neighbours are alike; only
    the first and the last may have no date in common.

    Examples
    --------
    >>> stability([{"a": 1.0}, {"a": 2.0}, {"a": 3.0, "b": 5.0}]).loc["a"].tolist()
    [2.0, 1.0, 1.0, 3.0, 3.0]
    """
    names = dict.fromkeys(name for one in windows for name in one)
    rows = {}
    for name in names:
        values = np.array([one[name] for one in windows if name in one])
        sd = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        rows[name] = (float(values.mean()), sd, float(values[0]), float(values[-1]), float(len(values)))
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))


def rank_correlation(windows: Sequence[Mapping[str, float]]) -> float:
    """Return the mean Spearman correlation of the numbers of each window with those of the next one; NaN if unknown.

    Examples
    --------
    >>> round(rank_correlation([{"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 10.0, "b": 20.0, "c": 30.0}]), 9)
    1.0
    """
    ranks = pd.DataFrame(list(windows)).rank(axis=1)
    found = [ranks.iloc[i].corr(ranks.iloc[i + 1]) for i in range(len(ranks) - 1) if ranks.iloc[i].nunique() > 1]
    known = [value for value in found if math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan


def top_counts(windows: Sequence[Mapping[str, float]], size: int = 10) -> Counter[str]:
    """Return in how many windows each name is among those with the ``size`` largest numbers.

    Examples
    --------
    >>> top_counts([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 2.0}, {"a": 0.0, "b": 1.0}], size=1).most_common()
    [('b', 2), ('a', 1)]
    """
    found = Counter[str]()
    for one in windows:
        found.update(sorted(one, key=lambda name: -one[name])[:size])
    return found

"""Which of the panel's features a model uses: chosen on train rows, for all symbols or for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from configs.data import FeatureConfig
from configs.schema import Config
from features.feature_plan import market_columns
from features.selection import select_features
from training.data.examples import Examples, Int64

_SELECTION_ROWS = 50_000


def choose_columns(examples: Examples, config: Config, *, pooled: bool) -> Int64:
    """Return the positions of the features to use: one choice for all (1, k), or each symbol's own (S, k)."""
    panel, k = examples.panel, config.features.max_features
    width = len(panel.feature_names)
    if k is None or k >= width:
        return np.arange(width, dtype=np.int64)[None]
    if pooled:
        rows, _ = examples.places(examples.part("train"))
        rows = rows[:: max(1, len(rows) // _SELECTION_ROWS)]
        return select_features(panel.features[rows], examples.targets[rows], k)[None]
    labels = (examples.targets[panel.rows(i)][rows.train] for i, rows in enumerate(examples.rows))
    return np.stack([select_features(x, y, k) for x, y in zip(examples.train_features(), labels, strict=True)])


def own_columns(names: Sequence[str], columns: Int64, config: FeatureConfig) -> Int64:
    """Return those of the chosen features (1, k) that differ between symbols on a day; all if none does."""
    own = columns[:, ~np.isin(columns[0], market_columns(names, config, calendar=True))]
    return own if own.shape[1] else columns

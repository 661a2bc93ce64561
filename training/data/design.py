"""The design of a pooled model: which features it reads, how they are scaled, and the range that train rows have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from features.scaling import FleetScaler
from training.data.arrays import Arrays, Float32, part_of, prefixed
from training.data.examples import Examples, Int64
from training.data.feature_columns import choose_columns, own_columns


@dataclass(frozen=True, slots=True)
class Design:
    """One scaler and choice of features for all symbols.

    ``columns`` (1, k) are positions of the features in use; ``low`` and ``high`` (k,) the range of their scaled values
    on train rows: beyond it a feature counts as its end, so it moves a forecast no further than it did there. ``own``
    are the positions among the k of features that tell of the symbol itself and not of the day.
    """

    scaler: FleetScaler
    columns: Int64
    low: Float32
    high: Float32
    own: Int64

    @classmethod
    def fit(cls, examples: Examples, config: Config) -> Self:
        """Fit on train rows of all symbols."""
        scaler = FleetScaler.fit(examples.train_features(), config.features, pooled=True)
        columns = choose_columns(examples, config, pooled=True)
        low, high = np.full(columns.shape[1], np.inf, np.float32), np.full(columns.shape[1], -np.inf, np.float32)
        for part in examples.train_features():
            scaled = scaler.transform(part)[:, columns[0]]
            low, high = np.minimum(low, scaled.min(axis=0)), np.maximum(high, scaled.max(axis=0))
        chosen = own_columns(examples.panel.feature_names, columns, config.features)[0]
        return cls(scaler, columns, low, high, np.flatnonzero(np.isin(columns[0], chosen)))

    @property
    def own_columns(self) -> Int64:
        """Positions (1, k′) in the panel of the features that tell of the symbol itself."""
        return self.columns[:, self.own]

    def transform(self, features: Float32) -> Float32:
        """Return features (…, F) scaled, chosen and kept within the range of train (…, k), float32 without NaN."""
        scaled: Float32 = self.scaler.transform(features)
        if self.columns.shape[1] < scaled.shape[-1]:
            scaled = scaled[..., self.columns[0]]
        return np.clip(scaled, self.low, self.high)

    def scaled(self, features: Float32, columns: npt.NDArray[np.int64]) -> Float32:
        """Return some columns (k,) of features (…, F) scaled, without the range of train."""
        narrow = FleetScaler(self.scaler.center[:, columns], self.scaler.scale[:, columns], self.scaler.clip)
        return narrow.transform(features[..., columns])

    def to_arrays(self) -> Arrays:
        """Return plain arrays."""
        own: Arrays = {"columns": self.columns, "low": self.low, "high": self.high, "own": self.own}
        return prefixed("scaler", self.scaler.to_arrays()) | own

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert :meth:`to_arrays`."""
        scaler = FleetScaler.from_arrays(part_of(arrays, "scaler"))
        return cls(scaler, arrays["columns"], arrays["low"], arrays["high"], arrays["own"])

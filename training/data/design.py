"""The design of a model: which features it reads, how they are scaled, and the range that they had in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from features.scaling import FleetScaler
from features.selection import select_features
from training.data.arrays import Arrays, Float32, part_of, prefixed, take_rows
from training.data.examples import Examples, Int64

_SELECTION_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Design:
    """Scalers and choices of features, each one for all symbols or one per symbol.

    ``columns`` (1, k) or (R, k) are positions of the features in use. ``low`` and ``high`` (k,) are the range of scaled
    values on train rows, which later values are clipped to; infinite where a design has no range. ``own`` are the
    positions among the k of features that differ between symbols on a day.
    """

    scaler: FleetScaler
    columns: Int64
    low: Float32
    high: Float32
    own: Int64

    @classmethod
    def fit(cls, examples: Examples, config: Config, columns: Int64 | None = None) -> Self:
        """Fit a scaler for each symbol on its train rows, and choose its features if ``columns`` are not given."""
        scaler = FleetScaler.fit(examples.train_features(), config.features)
        if columns is None:
            columns = choose_columns(examples, config, pooled=False)
        wide = np.full(columns.shape[1], np.inf, np.float32)
        return cls(scaler, columns, -wide, wide, np.arange(columns.shape[1]))

    @classmethod
    def fit_pooled(cls, examples: Examples, config: Config, columns: Int64 | None = None) -> Self:
        """Fit one scaler and range for all symbols on their train rows, and one choice if ``columns`` are not given."""
        scaler = FleetScaler.fit(examples.train_features(), config.features, pooled=True)
        columns = choose_columns(examples, config, pooled=True) if columns is None else columns
        low, high = np.full(columns.shape[1], np.inf, np.float32), np.full(columns.shape[1], -np.inf, np.float32)
        for part in examples.train_features():
            scaled = scaler.transform(part)[:, columns[0]]
            low, high = np.minimum(low, scaled.min(axis=0)), np.maximum(high, scaled.max(axis=0))
        common = examples.panel.market_columns(calendar=True)
        own = np.flatnonzero(~np.isin(columns[0], common))
        return cls(scaler, columns, low, high, own if len(own) else np.arange(columns.shape[1]))

    @property
    def width(self) -> int:
        """k, the number of features in use."""
        return int(self.columns.shape[1])

    def transform(self, features: Float32, symbol: int | Int64 = 0) -> Float32:
        """Return features (n, F) of a symbol, or each row's symbol (n,), scaled and chosen (n, k) without NaN."""
        # What all symbols share is not repeated for each row: that takes twice the time.
        if isinstance(symbol, int) or len(self.scaler.center) == 1:
            scaled = self.scaler.transform(features, symbol if isinstance(symbol, int) else 0)
        else:
            scaled = self.scaler.transform_rows(features, symbol)
        if self.width < scaled.shape[1]:
            columns = self.columns[symbol if len(self.columns) > 1 else 0]
            scaled = scaled[:, columns] if columns.ndim == 1 else np.take_along_axis(scaled, columns, axis=1)
        return np.clip(scaled, self.low, self.high) if np.isfinite(self.low).any() else scaled

    def scaled(self, features: Float32, columns: npt.NDArray[np.int64]) -> Float32:
        """Return some columns (k,) of features (…, F) scaled by the one scaler, without the range of train."""
        narrow = FleetScaler(self.scaler.center[:, columns], self.scaler.scale[:, columns], self.scaler.clip)
        return narrow.transform(features[..., columns])

    def narrow(self) -> Self:
        """Return the design of the features that differ between symbols on a day, without a range."""
        chosen = self.columns[:, self.own]
        wide = np.full(chosen.shape[1], np.inf, np.float32)
        return replace(self, columns=chosen, low=-wide, high=wide, own=np.arange(chosen.shape[1]))

    def take(self, rows: Int64) -> Self:
        """Return the design of these symbols, in this order."""
        return replace(self, scaler=self.scaler.take(rows), columns=take_rows(self.columns, rows))

    def rows(self, rows: Int64) -> Self:
        """Return the design with these rows of the scalers, even of one row that all share."""
        return replace(self, scaler=self.scaler.rows(rows), columns=take_rows(self.columns, rows))

    def with_scalers(self, other: FleetScaler) -> Self:
        """Return the design with further symbols, which have these scalers and the columns that all share."""
        return replace(self, scaler=FleetScaler.concat([self.scaler, other]))

    def to_arrays(self) -> Arrays:
        """Return plain arrays."""
        own: Arrays = {"columns": self.columns, "low": self.low, "high": self.high, "own": self.own}
        return prefixed("scaler", self.scaler.to_arrays()) | own

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert :meth:`to_arrays`."""
        scaler = FleetScaler.from_arrays(part_of(arrays, "scaler"))
        return cls(scaler, arrays["columns"], arrays["low"], arrays["high"], arrays["own"])


def choose_columns(examples: Examples, config: Config, *, pooled: bool) -> Int64:
    """Return the positions of the features to use: one choice for all (1, k), or each symbol's own (S, k)."""
    panel, most = examples.panel, config.features.max_features
    width = len(panel.feature_names)
    if most is None or most >= width:
        return np.arange(width, dtype=np.int64)[None]
    if pooled:
        rows, _ = examples.panel_rows(examples.part("train"))
        rows = rows[:: max(1, len(rows) // _SELECTION_ROWS)]
        return select_features(panel.features[rows], examples.targets[rows], most)[None]
    labels = (examples.targets[panel.rows(i)][rows.train] for i, rows in enumerate(examples.rows))
    return np.stack([select_features(x, y, most) for x, y in zip(examples.train_features(), labels, strict=True)])

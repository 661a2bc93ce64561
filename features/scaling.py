"""Scaling of features, fitted on train rows, per symbol or pooled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from configs.data import FeatureConfig
from configs.errors import DataError

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Method = Literal["standard", "robust", "none"]

_CONSTANT = 1e-6  # a spread below this share of the centre is the rounding error of float32
_POOLED_SAMPLE = 200_000  # rows from which the pooled median and quartiles are estimated
_IQR_TO_SIGMA = 1.349  # interquartile range of a standard normal


@dataclass(frozen=True, slots=True)
class FleetScaler:
    """Centres and scales of F features of S symbols; S = 1 is a pooled scaler, which applies to every symbol.

    ``center`` and ``scale`` are (S, F) float32. A feature that is constant or missing on train rows has an infinite
    ``scale``, so that it is always 0 after scaling. ``clip`` bounds the output, in scaled units.
    """

    center: Float32
    scale: Float32
    clip: float

    @classmethod
    def fit(cls, parts: Iterable[Float32], config: FeatureConfig | None = None, *, pooled: bool = False) -> FleetScaler:
        """Fit on each symbol's train rows, or on those of all symbols together.

        Parameters
        ----------
        parts
            One array (n_i, F) per symbol: *train rows only* (validation or test rows would leak their level and spread
            into training). NaN is ignored.
        config
            ``scaling_method``: ``standard`` (mean, standard deviation), ``robust`` (median, interquartile range in
            units of σ) or ``none`` (identity, not clipped); and ``clip``.
        pooled
            Fit one row for all symbols. Its median and quartiles are those of evenly spaced rows.
        """
        config = config or FeatureConfig()
        method: Method = config.scaling_method
        moments = _pooled(parts, method) if pooled else [_moments(part, method) for part in parts]
        if not moments:
            raise DataError("no symbol to fit a scaler on. Check that the universe and the train part are not empty.")
        center = np.stack([m[0] for m in moments])
        spread = np.stack([m[1] for m in moments])
        if method == "none":
            return cls(center.astype(np.float32), spread.astype(np.float32), np.inf)
        varies = np.isfinite(center) & (spread > _CONSTANT * np.abs(center)) & (spread > np.finfo(np.float32).tiny)
        return cls(
            np.where(np.isfinite(center), center, 0.0).astype(np.float32),
            np.where(varies, spread, np.inf).astype(np.float32),
            config.clip,
        )

    def transform(self, features: Float32, index: int = 0) -> Float32:
        """Return one symbol's features (n, F) scaled and clipped, float32, NaN replaced by 0 (the train centre)."""
        row = index if len(self.center) > 1 else 0
        return self._scaled(features, self.center[row], self.scale[row])

    def transform_rows(self, features: Float32, index: npt.NDArray[np.int64]) -> Float32:
        """Return :meth:`transform` of features (n, …, F), where row i belongs to symbol ``index[i]``."""
        row = index if len(self.center) > 1 else np.zeros(len(index), np.int64)
        middle = (1,) * (features.ndim - 2)
        center, scale = (
            values[row].reshape(len(row), *middle, features.shape[-1]) for values in (self.center, self.scale)
        )
        return self._scaled(features, center, scale)

    def _scaled(self, features: Float32, center: Float32, scale: Float32) -> Float32:
        with np.errstate(over="ignore"):  # what is beyond float32 is beyond the clip
            out: Float32 = (features - center) / scale
        np.clip(out, -self.clip, self.clip, out=out)
        out[np.isnan(out)] = 0.0
        return out

    def take(self, indices: npt.NDArray[np.intp]) -> FleetScaler:
        """Return the scaler of these symbols, in this order; a pooled scaler unchanged."""
        return self if len(self.center) == 1 else self.rows(indices)

    def rows(self, indices: npt.NDArray[np.intp]) -> FleetScaler:
        """Return the scaler of these rows, in this order."""
        return FleetScaler(self.center[indices], self.scale[indices], self.clip)

    @classmethod
    def concat(cls, scalers: Sequence[FleetScaler]) -> FleetScaler:
        """Join scalers with the same ``clip`` along the symbol axis."""
        return cls(
            np.concatenate([scaler.center for scaler in scalers]),
            np.concatenate([scaler.scale for scaler in scalers]),
            scalers[0].clip,
        )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the state as plain arrays."""
        return {"center": self.center, "scale": self.scale, "clip": np.array([self.clip], np.float64)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> FleetScaler:
        """Invert :meth:`to_arrays`."""
        return cls(arrays["center"], arrays["scale"], float(arrays["clip"][0]))


def _moments(x: Float32, method: Method) -> tuple[Float, Float]:
    if method == "none" or len(x) == 0:
        missing = np.nan if method != "none" else 0.0
        return np.full(x.shape[1], missing), np.ones(x.shape[1])
    if method == "standard":
        count, total, square = _sums(x)
        return _mean_and_deviation(count, total, square)
    ordered = np.sort(x, axis=0)  # NaN last
    count = np.count_nonzero(~np.isnan(x), axis=0)
    low, middle, high = (_order_statistic(ordered, count, q) for q in (0.25, 0.5, 0.75))
    return middle, (high - low) / _IQR_TO_SIGMA


def _pooled(parts: Iterable[Float32], method: Method) -> list[tuple[Float, Float]]:
    if method == "standard":
        sums = [_sums(part) for part in parts]
        return [_mean_and_deviation(*(np.sum(s, axis=0) for s in zip(*sums, strict=True)))] if sums else []
    arrays = list(parts)
    step = max(1, -(-sum(len(x) for x in arrays) // _POOLED_SAMPLE))
    return [_moments(np.concatenate([x[::step] for x in arrays]), method)] if arrays else []


def _sums(x: Float32) -> tuple[Float, Float, Float]:
    known = ~np.isnan(x)
    values = np.where(known, x, np.float32(0.0)).astype(np.float64)
    return known.sum(axis=0, dtype=np.float64), values.sum(axis=0), np.einsum("ij,ij->j", values, values)


def _mean_and_deviation(count: Float, total: Float, square: Float) -> tuple[Float, Float]:
    n = np.where(count > 0.0, count, np.nan)
    mean = total / n
    return mean, np.sqrt(np.maximum(square / n - mean * mean, 0.0))


def _order_statistic(ordered: Float32, count: npt.NDArray[np.intp], q: float) -> Float:
    """Return the interpolated quantile of each column's first ``count`` sorted values; NaN for ``count`` 0."""
    position = q * np.maximum(count - 1, 0)
    below = np.floor(position).astype(np.intp)
    column = np.arange(ordered.shape[1])
    low = ordered[below, column].astype(np.float64)
    high = ordered[np.minimum(below + 1, np.maximum(count - 1, 0)), column].astype(np.float64)
    return np.where(count > 0, low + (high - low) * (position - below), np.nan)

"""Daily statistics of direction and of volatility forecasts, and the summaries printed from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from features.labels import annualised
from training.metrics.calibration import CALIBRATION_GRID, calibration_cells, calibration_error_of, equal_mass_bins
from training.metrics.classification import (
    CLASSES,
    accuracy_of,
    balanced_accuracy_of,
    brier_rows,
    check_direction,
    log_loss_rows,
    mcc_of,
    up_down_hits,
)
from training.metrics.clustered import day_jackknife
from training.metrics.daily_sums import MODEL, DailySums, DayTotals, day_index
from training.metrics.ratio import Array, ratio
from training.metrics.volatility import check_variance, qlike_rows

_CHANNELS = 1 + CLASSES


class DirectionDaily(DailySums):
    """Daily sums of class forecasts: losses, confusion, calibration and label sets."""

    __slots__ = ()
    sparse: ClassVar[tuple[str, ...]] = ("calibration_rows", "calibration_gap")

    @classmethod
    def from_predictions(
        cls,
        dates: npt.ArrayLike,
        labels: npt.ArrayLike,
        probabilities: npt.ArrayLike,
        baselines: Mapping[str, npt.ArrayLike] | None = None,
        label_sets: npt.ArrayLike | None = None,
    ) -> Self:
        """Reduce rows to daily sums.

        Parameters
        ----------
        dates, labels
            Shape (n,): datetime64, and classes 0 down, 1 sideways, 2 up.
        probabilities
            The model's, (n, 3).
        baselines
            Name to probabilities (n, 3).
        label_sets
            Boolean (n, 3): the classes in each row's conformal set.

        Raises
        ------
        ValueError
            Shapes that differ, rows that are no distributions, or no rows.
        """
        forecasts = {MODEL: probabilities, **(baselines or {})}
        y, p = check_direction(labels, probabilities)
        days, row = day_index(dates, len(y))
        tables = [check_direction(y, table)[1] for table in forecasts.values()]
        hits = [up_down_hits(y, table) for table in tables]
        cell = [y * CLASSES + table.argmax(axis=1) for table in tables]
        confidence = [p.max(axis=1), *p.T]
        came_true = [p.argmax(axis=1) == y, *(y == k for k in range(CLASSES))]
        grid = [calibration_cells(c) for c in confidence]
        gap = [c - right for c, right in zip(confidence, came_true, strict=True)]
        sets = np.zeros((len(y), CLASSES), dtype=bool) if label_sets is None else np.asarray(label_sets, dtype=bool)
        if sets.shape != p.shape:
            raise ValueError(f"label sets have shape {sets.shape}; expected {p.shape}")
        total = DayTotals(row, len(days))
        confusion = np.stack([total.counts(c, CLASSES**2) for c in cell], axis=1)
        sums = {
            "rows": total(np.ones(len(y))),
            "log_loss": total.stack(log_loss_rows(y, table) for table in tables),
            "brier": total.stack(brier_rows(y, table) for table in tables),
            "confusion": confusion.reshape(len(days), len(tables), CLASSES, CLASSES),
            "up_down_hits": total.stack(hit for hit, _ in hits),
            "moved": total(hits[0][1]),
            "calibration_rows": np.stack([total.counts(c, CALIBRATION_GRID) for c in grid], axis=1),
            "calibration_gap": np.stack(
                [total.counts(c, CALIBRATION_GRID, g) for c, g in zip(grid, gap, strict=True)], axis=1
            ),
            "set_rows": total(np.full(len(y), float(label_sets is not None))),
            "covered": total(sets[np.arange(len(y)), y]),
            "set_size": total(sets.sum(axis=1)),
        }
        return cls(dates=days, names=tuple(forecasts), sums=sums)

    def summary(self, horizon: int = 1) -> dict[str, float]:
        """Return every metric and its ``_se``: own, ``_<baseline>`` and the paired difference ``_vs_<baseline>``.

        ``horizon`` (bars) says over how many days neighbouring labels overlap. Losses (``log_loss``,
        ``brier``) are better when a difference is negative; ``accuracy``, ``balanced_accuracy``, ``mcc`` and
        ``up_down_accuracy`` when positive. ``coverage`` and ``set_size`` exist when label sets were given.
        NaN where a value is undefined, such as an error from a single day.
        """
        lag = horizon - 1
        out = {"rows": float(self.sums["rows"].sum()), "days": float(len(self.dates))}
        self.put(out, "log_loss", _mean, ("log_loss", "rows"), lag)
        self.put(out, "brier", _mean, ("brier", "rows"), lag)
        self.put(out, "accuracy", accuracy_of, ("confusion",), lag)
        self.put(out, "balanced_accuracy", balanced_accuracy_of, ("confusion",), lag)
        self.put(out, "mcc", mcc_of, ("confusion",), lag)
        self.put(out, "up_down_accuracy", _mean, ("up_down_hits", "moved"), lag)
        error, error_se = day_jackknife(
            self._calibration_errors, (self.sums["calibration_gap"], self.sums["rows"]), lag
        )
        for key, value, se in zip(("ece", "ece_classwise"), error.tolist(), error_se.tolist(), strict=True):
            out[key], out[f"{key}_se"] = value, se
        if self.sums["set_rows"].any():
            for key, name in (("coverage", "covered"), ("set_size", "set_size")):
                value, se = day_jackknife(ratio, (self.sums[name], self.sums["set_rows"]), lag)
                out[key], out[f"{key}_se"] = float(value), float(se)
        frequency = self.sums["confusion"][:, 0].sum(axis=(0, 2)) / max(out["rows"], 1.0)
        return out | dict(zip(("share_down", "share_sideways", "share_up"), frequency.tolist(), strict=True))

    def _calibration_errors(self, gaps: Array, rows: Array) -> Array:
        counts = self.sums["calibration_rows"].sum(axis=0)
        errors = [calibration_error_of(gaps[:, c], rows, equal_mass_bins(counts[c])) for c in range(_CHANNELS)]
        return np.stack([errors[0], np.mean(errors[1:], axis=0)], axis=-1)


class VolatilityDaily(DailySums):
    """Daily sums of variance forecasts: QLIKE, errors of annualised volatility, interval coverage."""

    __slots__ = ()

    @classmethod
    def from_predictions(
        cls,
        dates: npt.ArrayLike,
        target: npt.ArrayLike,
        forecast: npt.ArrayLike,
        baselines: Mapping[str, npt.ArrayLike] | None = None,
        interval: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        own: Mapping[str, npt.ArrayLike] | None = None,
        *,
        bars_per_year: npt.ArrayLike,
    ) -> Self:
        """Reduce rows to daily sums; rows whose target is exactly zero are left out and counted as ``excluded``.

        Parameters
        ----------
        dates, target, forecast
            Shape (n,): datetime64, realised and forecast variance per bar.
        baselines
            Name of a baseline or member to its variance forecasts (n,).
        interval
            Lower and upper end (n,) as variance per bar; its width is reported as annualised volatility.
        own
            Name of a baseline to where its forecasts are its own (n,) bool; elsewhere it repeats the model's, so that
            all are judged on the same rows, and the share of such rows is reported.
        bars_per_year
            Those of each row's symbol (n,), or one number for all.

        Raises
        ------
        ValueError
            Shapes that differ, forecasts that are not finite and positive, or no row that moved.
        """
        y = np.asarray(target, dtype=np.float64)
        days, row = day_index(dates, len(y) if y.ndim == 1 else -1)
        moved = y != 0
        total = DayTotals(row, len(days), moved)
        forecasts = {MODEL: forecast, **(baselines or {})}
        tables = [_moving(table, moved) for table in forecasts.values()]
        year = _moving(np.broadcast_to(np.asarray(bars_per_year, np.float64), y.shape), moved)
        y, every = y[moved], np.ones(len(y), bool)
        vol = annualised(check_variance(y, tables[0])[0], year)
        low, high = (np.zeros(len(y)), np.zeros(len(y))) if interval is None else (_moving(e, moved) for e in interval)
        if not np.isfinite(low + high).all() or (low > high).any() or (low < 0).any():
            raise ValueError("interval ends must be finite variances with 0 ≤ low ≤ high")
        sums = {
            "rows": total(np.ones(len(y))),
            "excluded": DayTotals(row, len(days))(~moved),
            "qlike": total.stack(qlike_rows(y, table) for table in tables),
            "borrowed": total.stack(~_moving((own or {}).get(name, every), moved).astype(bool) for name in forecasts),
            "vol_error": total.stack((vol - annualised(table, year)) ** 2 for table in tables),
            "vol": total(vol),
            "vol_square": total(vol**2),
            "interval_rows": total(np.full(len(y), float(interval is not None))),
            "covered": total((low <= y) & (y <= high)),
            "width": total(annualised(high, year) - annualised(low, year)),
        }
        return cls(dates=days, names=tuple(forecasts), sums=sums)

    def summary(self, horizon: int = 1) -> dict[str, float]:
        """Return every metric and its ``_se``: own, ``_<baseline>`` and the paired difference ``_vs_<baseline>``.

        ``qlike`` and ``vol_mse`` (squared annualised volatility) are better when a difference is negative,
        ``r2`` (of annualised volatility, around the mean of all rows) when positive. ``coverage`` and
        ``interval_width`` exist when intervals were given, and ``borrowed_<baseline>``, the share of rows without a
        forecast of its own, where there are any. ``horizon`` is in bars.
        """
        lag = horizon - 1
        out = {key: float(self.sums[key].sum()) for key in ("rows", "excluded")} | {"days": float(len(self.dates))}
        self.put(out, "qlike", _mean, ("qlike", "rows"), lag)
        self.put(out, "vol_mse", _mean, ("vol_error", "rows"), lag)
        self.put(out, "r2", _r2, ("vol_error", "vol", "vol_square", "rows"), lag)
        shares = self.sums["borrowed"].sum(axis=0) / max(out["rows"], 1.0)
        out |= {f"borrowed_{name}": float(s) for name, s in zip(self.names, shares, strict=True) if s > 0}
        for name, share in zip(self.names, shares, strict=True):
            if share == 1.0:  # it is no baseline: all that it says is the model's
                ends = (f"_{name}", f"_vs_{name}", f"_vs_{name}_se", f"_{name}_se")
                out = {k: v for k, v in out.items() if k == f"borrowed_{name}" or not k.endswith(ends)}
        if self.sums["interval_rows"].any():
            for key, name in (("coverage", "covered"), ("interval_width", "width")):
                value, se = day_jackknife(ratio, (self.sums[name], self.sums["interval_rows"]), lag)
                out[key], out[f"{key}_se"] = float(value), float(se)
        return out


def _moving(values: npt.ArrayLike, moved: npt.NDArray[np.bool_]) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != moved.shape:
        raise ValueError(f"a forecast or interval has shape {array.shape}; expected {moved.shape} like the target")
    return array[moved]


def _mean(sums: Array, rows: Array) -> Array:
    return ratio(sums, rows[..., None])


def _r2(error: Array, vol: Array, vol_square: Array, rows: Array) -> Array:
    return 1.0 - ratio(error, (vol_square - ratio(vol**2, rows))[..., None])

"""Market series (VIX, yields, oil …) as known at each bar: scale-free and lagged by their release."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from configs.data import ContextConfig
from configs.errors import DataError
from configs.safe_json import parse_json
from features.rolling import change, rolling_mean, rolling_var

if TYPE_CHECKING:
    import pandas as pd

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Dates = npt.NDArray[np.datetime64]

_Z_WINDOW = 60
_DEFAULT_LAG_DAYS = 1
_MAX_AGE = np.timedelta64(100, "D")  # a series without a value for longer than a quarter has ended
_SUFFIXES = {
    "level": ("log", "change_1", "change_5", "zscore"),
    "price": ("return_1", "return_5", "return_20", "mean_distance"),
    "rate": ("change_1", "change_5", "change_20", "zscore"),
}


@dataclass(frozen=True, slots=True)
class MarketContext:
    """Features of market series on their own calendars.

    ``columns`` (k,) are the names of the features. ``tables`` has, for each series, the dates from which its values are
    known (n,) datetime64[ns] and its features (n, 4) float64, in the order of ``columns``.
    """

    columns: tuple[str, ...]
    tables: tuple[tuple[Dates, Float], ...]

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, config: ContextConfig) -> MarketContext:
        """Return the context of the series in ``config.kinds``, sorted by name.

        Parameters
        ----------
        frame
            Long form, with columns ``date``, ``series`` and ``value``; other columns are ignored. Missing values, and
            values ≤ 0 of a ``level`` or ``price``, are ignored. Of several values of a date the last is used.
        config
            ``lag_days`` prevents leakage of values before their release: a value dated d is used from d + lag days on.

        Raises
        ------
        DataError
            A column is missing, a date cannot be read, or a configured series is not in the frame.
        """
        import pandas as pd

        missing = [name for name in ("date", "series", "value") if name not in frame.columns]
        if missing:
            raise DataError(
                f"market context has columns {list(map(str, frame.columns))}; expected date, series and value "
                f"(missing: {', '.join(missing)}). Rename them."
            )
        try:
            dates = pd.to_datetime(frame["date"], utc=True).dt.tz_localize(None).to_numpy("datetime64[ns]")
            values = pd.to_numeric(frame["value"]).to_numpy(np.float64)
        except (ValueError, TypeError) as error:
            raise DataError(
                f"market context cannot be read: {error}. Write dates as 2014-12-31 and values as numbers."
            ) from error
        names = frame["series"].astype(str).to_numpy()
        columns: list[str] = []
        tables = []
        for series, kind in sorted(config.kinds.items()):
            rows = names == series
            if not rows.any():
                known = ", ".join(sorted(set(names.tolist()))[:12])
                raise DataError(
                    f"market context has no series {series!r}. Choose from: {known}, or drop it from kinds."
                )
            lag = np.timedelta64(config.lag_days.get(series, _DEFAULT_LAG_DAYS), "D")
            tables.append(_table(dates[rows] + lag, values[rows], kind))
            slug = re.sub(r"[^a-z0-9]+", "_", series.lower()).strip("_")
            columns += [f"context_{slug}_{suffix}" for suffix in _SUFFIXES[kind]]
        if len(set(columns)) < len(columns):
            raise DataError(
                f"market context series {sorted(config.kinds)} differ only in case or punctuation. Rename one."
            )
        return cls(tuple(columns), tuple(tables))

    def at(self, dates: Dates) -> Float:
        """Return the features known at each date (N, k); NaN before a series starts and 100 days after it ends."""
        out = np.full((len(self.columns), len(dates)), np.nan)
        first = 0
        for known_from, features in self.tables:
            if len(known_from):
                position = np.searchsorted(known_from, dates, side="right") - 1
                usable = (position >= 0) & (dates - known_from[np.maximum(position, 0)] <= _MAX_AGE)
                for column, values in enumerate(features.T, first):
                    np.copyto(out[column], values[np.maximum(position, 0)], where=usable)
            first += features.shape[1]
        return out.T

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the context as plain numeric arrays (names as UTF-8 JSON bytes, dates as int64 nanoseconds)."""
        arrays: dict[str, npt.NDArray[Any]] = {"columns": np.frombuffer(json.dumps(self.columns).encode(), np.uint8)}
        for i, (known_from, features) in enumerate(self.tables):
            arrays[f"dates.{i}"] = known_from.astype("datetime64[ns]").astype(np.int64)
            arrays[f"features.{i}"] = features
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> MarketContext:
        """Invert :meth:`to_arrays`."""
        columns = tuple(parse_json(arrays["columns"].tobytes()))
        count = sum(name.startswith("dates.") for name in arrays)
        return cls(
            columns,
            tuple(
                (arrays[f"dates.{i}"].astype(np.int64).view("datetime64[ns]"), arrays[f"features.{i}"])
                for i in range(count)
            ),
        )


def _table(known_from: Dates, values: Float, kind: str) -> tuple[Dates, Float]:
    usable = np.isfinite(values) & ((values > 0.0) | (kind == "rate"))
    known_from, values = known_from[usable], values[usable]
    order = np.argsort(known_from, kind="stable")
    known_from, values = known_from[order], values[order]
    last = np.append(known_from[1:] != known_from[:-1], True)[: len(known_from)]
    known_from, x = known_from[last], values[last]
    if kind != "rate":
        x = np.log(x)
    mean = rolling_mean(x, _Z_WINDOW)
    with np.errstate(all="ignore"):
        zscore = (x - mean) / np.sqrt(rolling_var(x, _Z_WINDOW, mean))
    if kind == "level":
        features = (x, change(x, 1), change(x, 5), zscore)
    elif kind == "price":
        features = (change(x, 1), change(x, 5), change(x, 20), x - mean)
    else:
        features = (change(x, 1), change(x, 5), change(x, 20), zscore)
    table = np.stack(features).T  # contiguous columns, because each is read separately
    table[~np.isfinite(table)] = np.nan
    return known_from, table

"""Market series (VIX, yields, oil …) as known at each bar: scale-free and lagged by their release."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from configs.data import ContextConfig
from configs.errors import DataError
from configs.safe_json import parse_json
from features.alternative.groups import slug_of
from features.alternative.instants import read_instants
from features.alternative.known import KnownData
from features.alternative.lags import fallback_lag
from features.alternative.vintages import SUFFIXES, vintage_features
from features.bars.decisions import decision_times

if TYPE_CHECKING:
    import pandas as pd

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Dates = npt.NDArray[np.datetime64]

_MAX_AGE = np.timedelta64(100, "D")  # a series without a value for longer than a quarter has ended
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class MarketContext:
    """Features of market series on their own calendars.

    ``columns`` (k,) are the names of the features. ``tables`` has, for each series, the instants from which its values
    are known (n,) datetime64[ns] in UTC and its features (n, 4) float64, in the order of ``columns``. ``revised`` are
    the series that use a fallback lag: their values were revised after they became known. ``is_timed`` is whether some
    values became known during a day, so that the hour at which a bar is decided matters. ``alternative`` has the series
    and events of the lake, market-wide and per symbol.
    """

    columns: tuple[str, ...]
    tables: tuple[tuple[Dates, Float], ...]
    revised: tuple[str, ...] = ()
    is_timed: bool = False
    alternative: KnownData | None = None

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, config: ContextConfig) -> MarketContext:
        """Return the context of the series in ``config.kinds``, sorted by name.

        Parameters
        ----------
        frame
            Long form, with columns ``date``, ``series`` and ``value``, and optionally ``known_from``, the instant of
            publication (a day counts from its end); other columns are ignored. Missing values, and values ≤ 0 of a
            ``level`` or ``price``, are ignored. Several values of a date are its vintages if they have ``known_from``;
            else the last is used.
        config
            ``lag_days`` prevents leakage of values before their release: a value dated d without ``known_from`` is
            used from d + lag days on. Well-known series have a lag in :mod:`features.alternative.lags`.

        Raises
        ------
        DataError
            A column is missing, a date cannot be read, a configured series is not in the frame, or it is not known
            when its values were published.
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
        known = _published(frame)
        names = frame["series"].astype(str).to_numpy()
        columns: list[str] = []
        tables, revised = [], []
        for series, kind in sorted(config.kinds.items()):
            rows = names == series
            if not rows.any():
                others = ", ".join(sorted(set(names.tolist()))[:12])
                raise DataError(
                    f"market context has no series {series!r}. Choose from: {others}, or drop it from kinds."
                )
            known_from = known[rows]
            if np.isnat(known_from).all():
                lag, is_revised = lag_days(series, config)
                known_from = dates[rows] + lag * _DAY
                revised += [series] * is_revised
            tables.append(vintage_features(dates[rows], known_from, values[rows], kind))
            columns += [f"context_{slug_of(series)}_{suffix}" for suffix in SUFFIXES[kind]]
        if len(set(columns)) < len(columns):
            raise DataError(
                f"market context series {sorted(config.kinds)} differ only in case or punctuation. Rename one."
            )
        is_timed = any((known_from.astype("datetime64[D]") != known_from).any() for known_from, _ in tables)
        return cls(tuple(columns), tuple(tables), tuple(revised), is_timed)

    @classmethod
    def unknown(cls, config: ContextConfig) -> MarketContext:
        """Return the context of the series in ``config.kinds`` without any value: their features are missing."""
        import pandas as pd

        series, epoch = sorted(config.kinds), pd.Timestamp(0, tz="UTC")
        frame = pd.DataFrame({"date": epoch, "known_from": epoch, "series": series, "value": np.nan})
        return cls.from_frame(frame, config)

    def at(self, dates: Dates) -> Float:
        """Return the features known when the bars of one symbol's dates are decided (N, k).

        That is the close of their exchange; see :func:`.decision_times`. NaN before a series starts and 100 days after
        it ends.
        """
        if self.is_timed:
            dates = decision_times(dates)
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

    @property
    def all_columns(self) -> tuple[str, ...]:
        """The names of all features, those of alternative data last."""
        return (*self.columns, *(self.alternative.columns if self.alternative is not None else ()))

    @property
    def market_columns(self) -> frozenset[str]:
        """The names of the features that are equal for all symbols with the same trading days."""
        return frozenset(self.columns).union(self.alternative.market_columns if self.alternative is not None else ())

    def of(self, symbol: str, dates: Dates) -> Float:
        """Return all features known at the bars of one symbol (N, columns of ``all_columns``)."""
        market = self.at(dates)
        if self.alternative is None:
            return market
        return np.concatenate([market.T, self.alternative.at(symbol, dates).T]).T

    def digest(self, until: np.datetime64) -> str:
        """Return a hash of what had become known by the end of a date."""
        digest = hashlib.sha256("\0".join(self.columns).encode())
        for known_from, features in self.tables:
            stop = int(np.searchsorted(known_from, until + _DAY if self.is_timed else until, side="right"))
            digest.update(known_from[:stop].astype("datetime64[ns]").astype(np.int64).tobytes())
            digest.update(np.ascontiguousarray(features[:stop]).tobytes())
        if self.alternative is not None:
            digest.update(self.alternative.digest(until + _DAY).encode())
        return digest.hexdigest()

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the context as plain numeric arrays (names as UTF-8 JSON bytes, dates as int64 nanoseconds)."""
        facts: dict[str, Any] = {"columns": self.columns, "revised": self.revised, "is_timed": self.is_timed}
        arrays: dict[str, npt.NDArray[Any]] = {}
        if self.alternative is not None:
            facts["alternative"], arrays = self.alternative.to_arrays()
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        for i, (known_from, features) in enumerate(self.tables):
            arrays[f"dates.{i}"] = known_from.astype("datetime64[ns]").astype(np.int64)
            arrays[f"features.{i}"] = features
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> MarketContext:
        """Invert :meth:`to_arrays`."""
        facts = parse_json(arrays["facts"].tobytes())
        count = sum(name.startswith("dates.") for name in arrays)
        tables = [
            (arrays[f"dates.{i}"].astype(np.int64).view("datetime64[ns]"), arrays[f"features.{i}"])
            for i in range(count)
        ]
        known = KnownData.from_arrays(facts["alternative"], arrays) if "alternative" in facts else None
        return cls(tuple(facts["columns"]), tuple(tables), tuple(facts["revised"]), facts["is_timed"], known)


def lag_days(series: str, config: ContextConfig) -> tuple[int, bool]:
    """Return the days from a value's date to the first bar that may use it, and whether they are a fallback.

    Raises
    ------
    DataError
        The series has no lag, neither the user's own nor one in :mod:`features.alternative.lags`.
    """
    if series in config.lag_days:
        return config.lag_days[series], False
    lag = fallback_lag(series)
    if lag is None:
        raise DataError(
            f"market series {series!r} has no publication times, and its date is that of the period that a value "
            "describes, so it is not known when its values became known. Add a column known_from, or give the days "
            f"from the date to the publication: --set data.context.lag_days.{series}=DAYS."
        )
    return lag, True


def _published(frame: pd.DataFrame) -> Dates:
    """Return the column ``known_from`` in UTC; NaT where there is none."""
    if "known_from" not in frame.columns:
        return np.full(len(frame), np.datetime64("NaT", "ns"))
    return read_instants(frame["known_from"], "known_from of market context").utc

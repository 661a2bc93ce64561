"""Requests and answers: one item per symbol, with its forecasts or its own error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from configs.errors import ConfigError, shown
from configs.values import Kind
from serving.frames import frame_of, row_of
from serving.known_sources import KnownSource

if TYPE_CHECKING:
    import pandas as pd

    from features.any_bars import AnyBars

KINDS: tuple[Kind, ...] = get_args(Kind)

Basis = Literal["own", "pooled"]
Source = Literal["snapshot", "cache", "computed", "refused"]

Code = Literal[
    "unknown_symbol", "no_model", "no_bars", "too_few_bars", "bad_bars", "stale_bars", "unavailable", "internal"
]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a symbol, or one kind of its forecasts, has no answer: a ``code`` for programs, a ``message`` for people.

    ``suggestion`` is the symbol that an unknown one was probably meant to be.
    """

    code: Code
    message: str
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Calibrated probabilities of the classes; they sum to 1."""

    down: float
    sideways: float
    up: float


@dataclass(frozen=True, slots=True)
class Band:
    """The moves that count as *sideways*: log returns within ± ``log_return``, as the model's labels have it.

    ``low_return`` and ``high_return`` are its ends as simple returns (fractions), ``low_price`` and ``high_price`` as
    prices of the forecast's last bar.
    """

    log_return: float
    low_return: float
    high_return: float
    low_price: float
    high_price: float


@dataclass(frozen=True, slots=True)
class DirectionForecast:
    """The class of the return over the next ``horizon_bars``, in words ``horizon``: ``5 trading days``, ``5 hours``.

    ``label`` is the likeliest class and ``confidence`` its probability; ``label_set`` contains the true class with
    probability ``level`` (conformal). ``version`` is the model's. ``basis`` is ``own`` if the model was fitted on the
    symbol and ``pooled`` if the forecast comes from what all fitted symbols share. ``band`` are the moves that count as
    sideways. ``target_date`` is the date of the last bar of the horizon, whose close decides the class; None where the
    symbol's next trading days are not known. The model's weights saw labels up to ``trained_to``, its calibration up to
    ``calibrated_to`` (ISO dates; None for versions that do not have them).
    """

    label: Literal["down", "sideways", "up"]
    confidence: float
    probabilities: Probabilities
    label_set: tuple[str, ...]
    level: float
    horizon_bars: int
    horizon: str
    version: str
    basis: Basis = "own"
    band: Band | None = None
    target_date: datetime | None = None
    trained_to: str | None = None
    calibrated_to: str | None = None


@dataclass(frozen=True, slots=True)
class VolatilityForecast:
    """The annualised volatility over the next ``horizon_bars``, as a fraction per year.

    A year has ``bars_per_year`` bars of the symbol. The realised value lies between ``low`` and ``high`` with
    probability ``level`` (conformal). ``horizon``, ``version``, ``basis``, ``target_date``, ``trained_to`` and
    ``calibrated_to`` are as in :class:`DirectionForecast`. ``fallback`` marks a forecast of the log-HAR (or, after a
    long halt, the EWMA), given because the ensemble had no usable value.
    """

    annualised: float
    low: float
    high: float
    level: float
    horizon_bars: int
    horizon: str
    bars_per_year: float
    version: str
    basis: Basis = "own"
    fallback: bool = False
    target_date: datetime | None = None
    trained_to: str | None = None
    calibrated_to: str | None = None


Forecast = DirectionForecast | VolatilityForecast


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """One symbol to forecast, from ``data`` (its bars in any form) or from the newest bars, by default by all kinds.

    Examples
    --------
    >>> PredictionRequest(symbol="AAPL", prediction_types=["direction"]).prediction_types
    ('direction',)
    """

    symbol: str
    data: AnyBars | None = None
    prediction_types: Sequence[Kind] | Kind | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, str) or not self.symbol:
            raise ConfigError(f"symbol is {shown(self.symbol)}; expected a name such as 'AAPL'.")
        if (wanted := self.prediction_types) is None:
            return
        given = (wanted,) if isinstance(wanted, str) else tuple(wanted) if isinstance(wanted, Iterable) else ()
        if not given or any(not isinstance(kind, str) or kind not in KINDS for kind in given):
            raise ConfigError(
                f"prediction_types is {shown(list(given) or wanted)}; expected one or more of {', '.join(KINDS)}."
            )
        object.__setattr__(self, "prediction_types", tuple(kind for kind in KINDS if kind in given))

    @property
    def kinds(self) -> tuple[Kind, ...] | None:
        """The kinds of forecast, in a fixed order; None: all that are served."""
        return cast(tuple[Kind, ...] | None, self.prediction_types)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one symbol, with a field per kind of forecast.

    ``as_of`` is the date of the last bar before the forecasts, ``close`` its price. A forecast that was not requested,
    or that failed as ``error`` explains, is None. ``notes`` are warnings about the bars and features, in plain words;
    ``stale`` is whether one of them is that the bars are not up to date. ``sources`` are the alternative data that the
    models read, each with its age or that it is missing; empty for models of prices alone.
    """

    symbol: str
    as_of: datetime | None = None
    close: float | None = None
    direction: DirectionForecast | None = None
    volatility: VolatilityForecast | None = None
    error: Failure | None = None
    notes: tuple[str, ...] = ()
    stale: bool = False
    sources: tuple[KnownSource, ...] = ()

    @property
    def forecasts(self) -> list[Forecast]:
        """The forecasts that it has, of any kind."""
        found = (getattr(self, kind) for kind in KINDS)
        return [forecast for forecast in found if forecast is not None]

    @property
    def fallback(self) -> bool:
        """Whether one of the forecasts is a baseline's."""
        return any(getattr(forecast, "fallback", False) for forecast in self.forecasts)

    @property
    def row(self) -> dict[str, Any]:
        """It as a row of a table; see :func:`.row_of`."""
        return row_of(self)

    def to_frame(self) -> pd.DataFrame:
        """Return a table of one row."""
        return frame_of([self])


@dataclass(frozen=True, slots=True)
class PredictionResponse:
    """A prediction, the seconds that it took, and its source: precomputed (``snapshot``), ``cache`` or ``computed``."""

    prediction: Prediction
    processing_time_s: float
    source: Source
    versions: dict[Kind, str] = field(default_factory=dict)

    @property
    def processing_time(self) -> float:
        """Seconds that the request took."""
        return self.processing_time_s

    @property
    def symbol(self) -> str:
        """The symbol."""
        return self.prediction.symbol

    @property
    def as_of(self) -> datetime | None:
        """The date of the last bar before the forecasts."""
        return self.prediction.as_of

    @property
    def direction(self) -> DirectionForecast | None:
        """The forecast of direction, if requested."""
        return self.prediction.direction

    @property
    def volatility(self) -> VolatilityForecast | None:
        """The forecast of volatility, if requested."""
        return self.prediction.volatility

    @property
    def error(self) -> Failure | None:
        """Why a requested forecast is missing."""
        return self.prediction.error

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings about the bars and features."""
        return self.prediction.notes

    @property
    def stale(self) -> bool:
        """Whether the bars are not up to date."""
        return self.prediction.stale

    @property
    def row(self) -> dict[str, Any]:
        """It as a row of a table, with its ``processing_time`` in seconds and its ``source``."""
        return {**self.prediction.row, "processing_time": self.processing_time_s, "source": self.source}

    def to_frame(self) -> pd.DataFrame:
        """Return a table of one row."""
        return frame_of([self])

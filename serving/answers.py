"""Requests and answers: one item per symbol, with its forecasts or its own error."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, get_args

from configs.values import Kind

if TYPE_CHECKING:
    import pandas as pd

    from features.bars.schema import SymbolBars

KINDS: tuple[Kind, ...] = get_args(Kind)

Basis = Literal["own", "pooled"]
Source = Literal["snapshot", "cache", "computed", "refused"]

Code = Literal[
    "unknown_symbol", "no_model", "no_bars", "too_few_bars", "bad_bars", "stale_bars", "unavailable", "internal"
]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a symbol, or one kind of its forecasts, has no answer: a ``code`` for programs, a ``message`` for people."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Calibrated probabilities of the classes; they sum to 1."""

    down: float
    sideways: float
    up: float


@dataclass(frozen=True, slots=True)
class DirectionForecast:
    """The class of the return over the next ``horizon_bars``, in words ``horizon``: ``5 trading days``, ``5 hours``.

    ``label`` is the likeliest class and ``confidence`` its probability; ``label_set`` contains the true class with
    probability ``level`` (conformal). ``version`` is the model's. ``basis`` is ``own`` if the model was fitted on the
    symbol and ``pooled`` if the forecast comes from what all fitted symbols share.
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


@dataclass(frozen=True, slots=True)
class VolatilityForecast:
    """The annualised volatility over the next ``horizon_bars``, as a fraction per year.

    A year has ``bars_per_year`` bars of the symbol; ``horizon`` is as in :class:`DirectionForecast`. The realised value
    lies between ``low`` and ``high`` with probability ``level`` (conformal). ``version`` and ``basis`` are as in
    :class:`DirectionForecast`. ``fallback`` marks a forecast of the log-HAR (or, after a long halt, the EWMA), given
    because the ensemble had no usable value.
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


Forecast = DirectionForecast | VolatilityForecast


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """One symbol to forecast, from ``data`` (a frame of its bars in any common spelling) or from the newest bars.

    Examples
    --------
    >>> PredictionRequest(symbol="AAPL", prediction_types=["direction"]).prediction_types
    ('direction',)
    """

    symbol: str
    data: pd.DataFrame | SymbolBars | None = None
    prediction_types: tuple[Kind, ...] = KINDS

    def __post_init__(self) -> None:
        given = tuple(self.prediction_types)
        if not given or set(given) - set(KINDS):
            raise ValueError(f"prediction_types {list(given)} should be one or more of {', '.join(KINDS)}.")
        object.__setattr__(self, "prediction_types", tuple(kind for kind in KINDS if kind in given))


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one symbol, with a field per kind of forecast.

    ``as_of`` is the date of the last bar before the forecasts, ``close`` its price. A forecast that was not requested,
    or that failed as ``error`` explains, is None. ``notes`` are warnings about the bars and features.
    """

    symbol: str
    as_of: datetime | None = None
    close: float | None = None
    direction: DirectionForecast | None = None
    volatility: VolatilityForecast | None = None
    error: Failure | None = None
    notes: tuple[str, ...] = ()

    @property
    def forecasts(self) -> list[Forecast]:
        """The forecasts that it has, of any kind."""
        found = (getattr(self, kind) for kind in KINDS)
        return [forecast for forecast in found if forecast is not None]

    @property
    def fallback(self) -> bool:
        """Whether one of the forecasts is a baseline's."""
        return any(getattr(forecast, "fallback", False) for forecast in self.forecasts)


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

"""What is asked of a server and what it answers: one item a symbol, with its forecasts or its own error."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from configs.values import Kind

if TYPE_CHECKING:
    import pandas as pd

    from features.bars.schema import SymbolBars

KINDS: tuple[Kind, ...] = ("direction", "volatility")

Basis = Literal["own", "pooled"]

Code = Literal[
    "unknown_symbol", "no_model", "no_bars", "too_few_bars", "bad_bars", "stale_bars", "unavailable", "internal"
]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a symbol, or one kind of forecast of it, has no answer: a ``code`` for programs, a ``message`` for people."""

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
    """The class of the return over the next ``horizon_bars``.

    ``label`` is the likeliest class and ``confidence`` its probability; ``label_set`` holds the true class with the
    probability ``level`` (conformal). ``version`` is the model's. ``basis`` is ``own`` where the model was fitted on
    the symbol, ``pooled`` where the forecast is by what all fitted symbols share.
    """

    label: Literal["down", "sideways", "up"]
    confidence: float
    probabilities: Probabilities
    label_set: tuple[str, ...]
    level: float
    horizon_bars: int
    version: str
    basis: Basis = "own"


@dataclass(frozen=True, slots=True)
class VolatilityForecast:
    """The annualised volatility over the next ``horizon_bars``, a fraction a year.

    What comes true lies between ``low`` and ``high`` with the probability ``level`` (conformal). ``version`` and
    ``basis`` are as in :class:`DirectionForecast`. With ``fallback`` the ensemble had no usable number, and the
    log-HAR's (or, after a long halt, the EWMA's) is given.
    """

    annualised: float
    low: float
    high: float
    level: float
    horizon_bars: int
    version: str
    basis: Basis = "own"
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """One symbol to forecast: from ``data``, a frame of its bars in any common spelling, or from the newest bars held.

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
        unknown = [name for name in given if name not in KINDS]
        if unknown or not given:
            raise ValueError(f"prediction_types {list(given)} should be one or both of {', '.join(KINDS)}.")
        object.__setattr__(self, "prediction_types", tuple(kind for kind in KINDS if kind in given))


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one symbol.

    ``as_of`` is the date of the bar that the forecasts follow, ``close`` its price. A forecast that was not asked for,
    or that ``error`` explains, is None. ``notes`` tell what to know of the bars that were sent.
    """

    symbol: str
    as_of: datetime | None = None
    close: float | None = None
    direction: DirectionForecast | None = None
    volatility: VolatilityForecast | None = None
    error: Failure | None = None
    notes: tuple[str, ...] = ()

    @property
    def fallback(self) -> bool:
        """Whether a baseline stands in the place of a forecast."""
        return self.volatility is not None and self.volatility.fallback


@dataclass(frozen=True, slots=True)
class PredictionResponse:
    """A prediction and what it took: seconds, and whether it was held already (``snapshot``, ``cache``) or computed."""

    prediction: Prediction
    processing_time_s: float
    source: Literal["snapshot", "cache", "computed", "refused"]
    versions: dict[Kind, str] = field(default_factory=dict)

    @property
    def processing_time(self) -> float:
        """Seconds that the request took."""
        return self.processing_time_s

    @property
    def symbol(self) -> str:
        """The symbol that was asked for."""
        return self.prediction.symbol

    @property
    def as_of(self) -> datetime | None:
        """The date of the bar that the forecasts follow."""
        return self.prediction.as_of

    @property
    def direction(self) -> DirectionForecast | None:
        """The forecast of direction, if asked for."""
        return self.prediction.direction

    @property
    def volatility(self) -> VolatilityForecast | None:
        """The forecast of volatility, if asked for."""
        return self.prediction.volatility

    @property
    def error(self) -> Failure | None:
        """Why something that was asked for is missing."""
        return self.prediction.error

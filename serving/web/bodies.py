"""Bodies of requests and responses, as documented by OpenAPI and validated by pydantic."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, FailFast, Field, model_validator
from pydantic_core import from_json
from typing_extensions import TypeAliasType

from configs.values import Kind
from serving.answers import KINDS, Prediction
from training.validation.verdict import Verdict

MAX_SYMBOLS = 5000
MAX_ROWS = 20_000


def _check_symbol(value: str) -> str:
    if not value.isprintable() or ".." in value or "\\" in value or value != value.strip():
        raise ValueError("a symbol has printable characters, no backslash, no '..' and no space around it")
    return value


Symbol = Annotated[str, Field(min_length=1, max_length=64, examples=["AAPL"]), AfterValidator(_check_symbol)]
Price = Annotated[float, Field(gt=0)]
Bar = tuple[Annotated[str, Field(max_length=40)], Price, Price, Price, Price, Annotated[float, Field(ge=0)]]
"""Date, open, high, low, close, volume."""


# Lists stop at their first error: a body full of errors must not cost more than one of bars.
Symbols = TypeAliasType("Symbols", Annotated[list[Symbol], FailFast(), Field(min_length=1, max_length=MAX_SYMBOLS)])
Bars = TypeAliasType("Bars", Annotated[list[Bar], FailFast(), Field(min_length=1, max_length=MAX_ROWS)])


class Body(BaseModel):
    """A body without coercion: no unknown field, no text for a number, neither NaN nor infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class PredictionsRequest(Body):
    """Which symbols to forecast, and optionally from which bars.

    ``symbols`` are forecast from the server's newest bars; for those in ``bars`` the forecast follows the last of the
    given bars. By default ``symbols`` are those of ``bars``, and ``types`` are all kinds that are served: those that
    ``versions`` of the response names.
    """

    symbols: Symbols | None = None
    types: Annotated[list[Kind], Field(min_length=1, max_length=len(KINDS))] | None = None
    bars: Annotated[dict[Symbol, Bars], Field(max_length=MAX_SYMBOLS)] | None = None

    @model_validator(mode="after")
    def _check_symbols(self) -> Self:
        if not self.symbols and not self.bars:
            raise ValueError("give symbols, or bars by symbol")
        if self.symbols and len(set(self.symbols)) < len(self.symbols):
            raise ValueError("symbols has a symbol twice; give each once")
        if self.symbols and (extra := set(self.bars or ()) - set(self.symbols)):
            raise ValueError(f"bars has {len(extra)} symbols that symbols does not name")
        return self

    @property
    def wanted(self) -> list[str]:
        """The symbols to forecast, in order."""
        return self.symbols if self.symbols is not None else list(self.bars or ())

    @property
    def kinds(self) -> tuple[Kind, ...] | None:
        """The requested kinds, each once; None: all that are served."""
        return None if self.types is None else tuple(kind for kind in KINDS if kind in self.types)


def oversize_reason(body: bytes) -> str:
    """Return why a body has too many entries, each of which would cost a validation error, or an empty text."""
    try:
        value = from_json(body)
    except ValueError:
        return ""
    if not isinstance(value, dict):
        return "body: an object is expected"
    bars = value.get("bars")
    if isinstance(bars, dict) and len(bars) > MAX_SYMBOLS:
        return f"body.bars: {len(bars)} symbols; at most {MAX_SYMBOLS} may be given"
    if len(value) > len(PredictionsRequest.model_fields):
        return f"body: {len(value)} fields; expected: {', '.join(PredictionsRequest.model_fields)}"
    return ""


class PredictionsResponse(BaseModel):
    """One item per symbol, in the order requested; all forecasts of a kind come from the version in ``versions``."""

    predictions: list[Prediction]
    versions: dict[Kind, str]
    processing_ms: float


class ErrorDetail(BaseModel):
    """One error in a request: its place (``body.symbols.3``) and the reason."""

    path: str
    message: str


class Error(BaseModel):
    """What went wrong: a ``code`` for programs, a ``message`` for people."""

    code: str
    message: str
    details: list[ErrorDetail] = []


class ErrorResponse(BaseModel):
    """The body of every error response."""

    error: Error


class SymbolFacts(BaseModel):
    """A symbol with the kinds of its forecasts, its newest bar, and whether its bars are stale."""

    symbol: str
    kinds: list[Kind]
    as_of: str | None
    close: float | None
    stale: bool


class ModelFacts(BaseModel):
    """One kind's version: its date, its number of symbols, and its metrics on the untouched test period.

    ``verdict`` compares it with its baselines there. ``level`` is the coverage that label sets or intervals aim at,
    ``coverage`` is which of them. ``loss`` is the key in ``metrics`` of the loss that decides, ``loss_title`` its name.
    ``references`` has the titles of baselines by their names in keys of ``metrics`` (``log_loss_vs_prior``);
    ``baseline`` is the first, which is the one to beat.
    Its weights saw labels up to ``trained_to``, its calibration up to ``calibrated_to``; None for versions that do not
    have these dates.
    """

    kind: Kind
    version: str
    created: str
    symbols: int
    level: float
    periods: dict[str, tuple[str, str]]
    trained_to: str | None
    calibrated_to: str | None
    verdict: Verdict
    metrics: dict[str, Any]
    loss: str
    loss_title: str
    baseline: str
    references: dict[str, str]
    coverage: str


class ReportFacts(BaseModel):
    """A tear sheet of a backtest: its name, when it was made (UTC), and its size."""

    name: str
    created: AwareDatetime
    size_bytes: int


class History(BaseModel):
    """A symbol's last prices, and its out-of-sample forecasts with their outcomes; see ``serving.history``."""

    symbol: str
    dates: list[str]
    close: list[float]
    direction: dict[str, Any] | None
    volatility: dict[str, Any] | None

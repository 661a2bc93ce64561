"""Bodies of requests and responses, as OpenAPI shows them and as pydantic checks them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field, model_validator
from pydantic_core import from_json
from typing_extensions import TypeAliasType

from configs.values import Kind
from serving.answers import KINDS, Prediction
from training.validation.verdict import Verdict

MAX_SYMBOLS = 5000
MAX_ROWS = 20_000


def _symbol(value: str) -> str:
    if not value.isprintable() or ".." in value or "\\" in value or value != value.strip():
        raise ValueError("a symbol has printable characters, no backslash, no '..' and no space around it")
    return value


Symbol = Annotated[str, Field(min_length=1, max_length=64, examples=["AAPL"]), AfterValidator(_symbol)]
Price = Annotated[float, Field(gt=0)]
Bar = tuple[Annotated[str, Field(max_length=40)], Price, Price, Price, Price, Annotated[float, Field(ge=0)]]
"""Date, open, high, low, close, volume."""


# Lists stop at their first mistake: a body of mistakes only must not cost more than one of bars.
Symbols = TypeAliasType("Symbols", Annotated[list[Symbol], FailFast(), Field(min_length=1, max_length=MAX_SYMBOLS)])
Bars = TypeAliasType("Bars", Annotated[list[Bar], FailFast(), Field(min_length=1, max_length=MAX_ROWS)])


class Body(BaseModel):
    """A body that is taken as it is written: no unknown field, no text for a number, neither NaN nor infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class PredictionsRequest(Body):
    """Which symbols to forecast, and optionally from which bars.

    ``symbols`` are answered from the newest bars that the server holds; for those in ``bars`` the forecast follows the
    last of the bars sent. Left out, ``symbols`` are those of ``bars``.
    """

    symbols: Symbols | None = None
    types: Annotated[list[Kind], Field(min_length=1, max_length=2)] = list(KINDS)
    bars: Annotated[dict[Symbol, Bars], Field(max_length=MAX_SYMBOLS)] | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.symbols and not self.bars:
            raise ValueError("give symbols, or bars by symbol")
        if self.symbols and len(set(self.symbols)) < len(self.symbols):
            raise ValueError("symbols names one twice; give each once")
        if self.symbols and (unasked := set(self.bars or ()) - set(self.symbols)):
            raise ValueError(f"bars of {len(unasked)} symbols are given that symbols does not name")
        return self

    @property
    def wanted(self) -> list[str]:
        """The symbols to answer, in order."""
        return self.symbols if self.symbols is not None else list(self.bars or ())

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds asked for, each once."""
        return tuple(kind for kind in KINDS if kind in self.types)


def too_many(body: bytes) -> str:
    """Return what is wrong with a body that names too much, which would cost too many errors to validate; else ""."""
    try:
        value = from_json(body)
    except ValueError:
        return ""
    bars = value.get("bars") if isinstance(value, dict) else None
    if isinstance(bars, dict) and len(bars) > MAX_SYMBOLS:
        return f"body.bars: {len(bars)} symbols; at most {MAX_SYMBOLS} may be given"
    if isinstance(value, dict) and len(value) > len(PredictionsRequest.model_fields):
        return f"body: {len(value)} fields; known are {', '.join(PredictionsRequest.model_fields)}"
    return "" if isinstance(value, dict) else "body: an object is expected"


class PredictionsResponse(BaseModel):
    """One item a symbol, in the order asked for; all forecasts of a kind come from the version named here."""

    predictions: list[Prediction]
    versions: dict[Kind, str]
    processing_ms: float


class ErrorDetail(BaseModel):
    """One thing that is wrong with a request: where (``body.symbols.3``), and what."""

    path: str
    message: str


class Error(BaseModel):
    """What went wrong: a ``code`` for programs, a ``message`` for people."""

    code: str
    message: str
    details: list[ErrorDetail] = []


class ErrorResponse(BaseModel):
    """The body of every response that is an error."""

    error: Error


class SymbolFacts(BaseModel):
    """What is known of a symbol: which kinds of model, and its newest bar."""

    symbol: str
    kinds: list[Kind]
    as_of: str | None
    close: float | None


class ModelFacts(BaseModel):
    """One kind's version: when it was made, for how many symbols, and how it did on the untouched test period.

    ``verdict`` compares it with its baselines there.
    """

    kind: Kind
    version: str
    created: str
    symbols: int
    level: float
    periods: dict[str, tuple[str, str]]
    verdict: Verdict
    metrics: dict[str, Any]


class History(BaseModel):
    """A symbol's last prices, and what was forecast out of sample beside what came true; see ``serving.history``."""

    symbol: str
    dates: list[str]
    close: list[float]
    direction: dict[str, Any] | None
    volatility: dict[str, Any] | None

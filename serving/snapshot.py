"""A snapshot: models, newest windows and every symbol's answer at one moment, replaced as one value.

A request is answered from one snapshot, so no response mixes versions or bars of two moments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from pydantic_core import to_json

from configs.values import Kind
from serving.answers import KINDS, Failure, Forecast, Prediction
from serving.fleets import Fleet
from serving.latest_windows import LatestWindows
from serving.newest_bars import NewestBars

Outcome = Forecast | Failure


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Snapshot:
    """Everything that answers come from.

    Attributes
    ----------
    versions
        The version of each kind; a shard without any of its symbols has no entry in ``fleets`` for it.
    fleets, windows, forecasts
        By kind: the models, the newest windows, and each symbol's forecast or the reason why it has none.
    symbols
        All symbols that have an answer, sorted.
    unfitted
        Those of ``symbols`` that no model was fitted on: they are in the lake and get pooled forecasts.
    unseen
        Whether symbols that no model was fitted on get pooled forecasts.
    last_bars
        Date and close of each symbol's last bar; ``notes`` are warnings about that bar's features.
    bars, bars_stamp
        Where bars are read from, and the stamp of those that were read.
    max_age
        Bars older than this get an error in place of a forecast.
    loaded
        When the snapshot was built.
    """

    versions: Mapping[Kind, str]
    fleets: Mapping[Kind, Fleet]
    windows: Mapping[Kind, LatestWindows]
    forecasts: Mapping[Kind, Mapping[str, Outcome]]
    symbols: Sequence[str]
    last_bars: Mapping[str, tuple[datetime, float]]
    notes: Mapping[str, tuple[str, ...]]
    bars: NewestBars
    bars_stamp: str
    max_age: timedelta | None
    unseen: bool = True
    unfitted: frozenset[str] = frozenset()
    loaded: datetime = field(default_factory=lambda: datetime.now(UTC))
    _rendered: dict[tuple[str, tuple[Kind, ...]], RenderedAnswer] = field(default_factory=dict)

    @property
    def newest_date(self) -> datetime | None:
        """The date of the newest bar of all symbols."""
        return max((date for date, _ in self.last_bars.values()), default=None)

    def kinds_of(self, symbol: str) -> list[Kind]:
        """Return the kinds that forecast a symbol from the newest bars."""
        unfitted = symbol in self.unfitted
        return [kind for kind, fleet in self.fleets.items() if fleet.can_forecast(symbol, unfitted)]

    def kinds_for_bars(self, symbol: str) -> list[Kind]:
        """Return the kinds that can forecast a symbol from bars in a request."""
        return [kind for kind, fleet in self.fleets.items() if fleet.can_forecast(symbol, self.unseen)]

    def prediction(self, symbol: str, kinds: Sequence[Kind] = KINDS) -> Prediction:
        """Return a symbol's answer from the newest bars; an unknown or stale symbol has an error."""
        if not self.kinds_of(symbol):
            return Prediction(symbol, error=self.unknown_symbol(symbol))
        if symbol not in self.last_bars:
            reasons = self.bars.missing | self.bars.unreadable
            return Prediction(symbol, error=Failure("no_bars", reasons.get(symbol, "no bars are available")))
        as_of, close = self.last_bars[symbol]
        if self.max_age is not None and (age := datetime.now(UTC).replace(tzinfo=None) - as_of) > self.max_age:
            message = f"the newest bar is {age.days} days old; at most {self.max_age.days} are allowed"
            return Prediction(symbol, as_of, close, error=Failure("stale_bars", message))
        empty = Prediction(symbol, as_of, close, notes=self.notes.get(symbol, ()))
        return with_forecasts(empty, kinds, {kind: found.get(symbol) for kind, found in self.forecasts.items()})

    def rendered(self, symbol: str, kinds: tuple[Kind, ...]) -> RenderedAnswer:
        """Return :meth:`prediction` as JSON; rendered once unless ages count or the symbol is unknown."""
        answer = self._rendered.get((symbol, kinds))
        if answer is None:
            answer = RenderedAnswer.of(self.prediction(symbol, kinds))
            if self.max_age is None and symbol in self.last_bars:
                self._rendered[symbol, kinds] = answer
        return answer

    def unknown_symbol(self, symbol: str) -> Failure:
        """Return the error of a symbol that no model can forecast."""
        count = len(self.symbols)
        examples = ", ".join(self.symbols[:3]) + (", …" if count > 3 else "")
        return Failure("unknown_symbol", f"no model of {symbol[:64]!r}; {count} symbols are served ({examples})")


@dataclass(frozen=True, slots=True)
class RenderedAnswer:
    """An answer as JSON (``item``), its error's ``code``, and whether it has forecasts or a ``fallback``."""

    item: bytes
    code: str | None
    has_forecast: bool
    fallback: bool

    @classmethod
    def of(cls, prediction: Prediction) -> RenderedAnswer:
        """Render an answer."""
        code = prediction.error.code if prediction.error is not None else None
        return cls(to_json(prediction), code, bool(prediction.forecasts), prediction.fallback)


def with_forecasts(
    prediction: Prediction, kinds: Sequence[Kind], outcomes: Mapping[Kind, Outcome | None]
) -> Prediction:
    """Return a prediction with its symbol's forecasts of these kinds; its error is that of the first missing one."""
    forecasts: dict[str, Forecast] = {}
    error = None
    for kind in kinds:
        outcome = outcomes.get(kind) or Failure("no_model", f"there is no {kind} model of {prediction.symbol!r}")
        if isinstance(outcome, Failure):
            error = error or outcome
        else:
            forecasts[kind] = outcome
    return replace(prediction, **forecasts, error=error)  # type: ignore[arg-type]

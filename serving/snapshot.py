"""A snapshot: models, newest windows and every symbol's answer at one moment, replaced as one value.

A request is answered from one snapshot, so no response mixes versions or bars of two moments.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from pydantic_core import to_json

from configs.values import Kind
from features.alternative.stopped import StoppedSource, stopped_sources
from features.bars.freshness import Freshness, freshness
from serving.answers import Failure, Forecast, Prediction
from serving.fleets import Fleet, ForecastColumns
from serving.known_sources import KnownSource
from serving.latest_windows import LatestWindows
from serving.newest_bars import NewestBars
from serving.spelling import Spelling
from serving.targets import LastBar

Outcome = Forecast | Failure


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Snapshot:
    """Everything that answers come from.

    Attributes
    ----------
    versions
        The version of each kind that is served, in the order of ``KINDS``; a shard without any of its symbols has no
        entry in ``fleets`` for it.
    fleets, windows, forecasts
        By kind: the models, the newest windows, and each symbol's forecast or the reason why it has none.
    columns
        By kind: the symbols that have a forecast, and the columns with those of the baselines that it was made of.
    symbols
        All symbols that have an answer, sorted.
    unfitted
        Those of ``symbols`` that no model was fitted on: they are in the lake and get pooled forecasts.
    unseen
        Whether symbols that no model was fitted on get pooled forecasts.
    last_bars
        Each symbol's last bar; ``notes`` are warnings about that bar's features, ``sources`` the alternative data that
        models read at it.
    bars, bars_stamp
        Where bars are read from, and the stamp of those that were read.
    max_age
        Bars older than this get an error in place of a forecast. Without it nothing is refused, and bars are stale when
        their schedule says so.
    spelling
        Finds the symbol that an unknown one was meant to be, among those of all shards.
    loaded
        When the snapshot was built.
    """

    versions: Mapping[Kind, str]
    fleets: Mapping[Kind, Fleet]
    windows: Mapping[Kind, LatestWindows]
    forecasts: Mapping[Kind, Mapping[str, Outcome]]
    symbols: Sequence[str]
    last_bars: Mapping[str, LastBar]
    notes: Mapping[str, tuple[str, ...]]
    bars: NewestBars
    bars_stamp: str
    max_age: timedelta | None
    spelling: Spelling
    columns: Mapping[Kind, tuple[Sequence[str], ForecastColumns] | None] = field(default_factory=dict)
    sources: Mapping[str, tuple[KnownSource, ...]] = field(default_factory=dict)
    unseen: bool = True
    unfitted: frozenset[str] = frozenset()
    loaded: datetime = field(default_factory=lambda: datetime.now(UTC))
    _rendered: dict[tuple[str, tuple[Kind, ...]], tuple[int, RenderedAnswer]] = field(default_factory=dict)

    @property
    def newest_date(self) -> datetime | None:
        """The date of the newest bar of all symbols."""
        return max((bar.as_of for bar in self.last_bars.values()), default=None)

    def wanted(self, kinds: Sequence[Kind] | None) -> tuple[Kind, ...]:
        """Return the kinds that a request names; None requests all that are served."""
        return tuple(self.versions if kinds is None else kinds)

    def kinds_of(self, symbol: str) -> list[Kind]:
        """Return the kinds that forecast a symbol from the newest bars."""
        unfitted = symbol in self.unfitted
        return [kind for kind, fleet in self.fleets.items() if fleet.can_forecast(symbol, unfitted)]

    def kinds_forecast(self, symbol: str) -> list[Kind]:
        """Return the kinds of which a symbol has a forecast from its newest bars."""
        return [kind for kind, found in self.forecasts.items() if isinstance(found.get(symbol), Forecast)]

    def kinds_for_bars(self, symbol: str) -> list[Kind]:
        """Return the kinds that can forecast a symbol from bars in a request."""
        return [kind for kind, fleet in self.fleets.items() if fleet.can_forecast(symbol, self.unseen)]

    def prediction(self, symbol: str, kinds: Sequence[Kind] | None = None, now: datetime | None = None) -> Prediction:
        """Return a symbol's answer from the newest bars; an unknown or stale symbol has an error.

        ``kinds`` are by default all that are served. Ages are judged at the time ``now``, UTC without a zone, by
        default the present.
        """
        if not self.kinds_of(symbol):
            return Prediction(symbol, error=self.unknown_symbol(symbol))
        if symbol not in self.last_bars:
            reasons = self.bars.missing | self.bars.unreadable
            return Prediction(symbol, error=Failure("no_bars", reasons.get(symbol, "no bars are available")))
        last = self.last_bars[symbol]
        found = self.freshness(last, now or utc_now())
        if self.max_age is not None and found.stale:
            message = f"{found.text}; serve.max_age_days allows {self.max_age / timedelta(days=1):g}"
            return Prediction(symbol, last.as_of, last.close, error=Failure("stale_bars", message), stale=True)
        notes = (*self.notes.get(symbol, ()), *((found.text,) if found.stale else ()))
        sources = self.sources.get(symbol, ())
        empty = Prediction(symbol, last.as_of, last.close, notes=notes, stale=found.stale, sources=sources)
        return self.with_forecasts(empty, kinds, {kind: found.get(symbol) for kind, found in self.forecasts.items()})

    def with_forecasts(
        self, prediction: Prediction, kinds: Sequence[Kind] | None, outcomes: Mapping[Kind, Outcome | None]
    ) -> Prediction:
        """Return a prediction with its symbol's forecasts of these kinds; its error is of the first missing one."""
        forecasts: dict[str, Forecast] = {}
        error = None
        for kind in self.wanted(kinds):
            outcome = outcomes.get(kind) or self._no_model(kind, prediction.symbol)
            if isinstance(outcome, Failure):
                error = error or outcome
            else:
                forecasts[kind] = outcome
        return replace(prediction, **forecasts, error=error)  # type: ignore[arg-type]

    def _no_model(self, kind: Kind, symbol: str) -> Failure:
        if kind in self.versions:
            return Failure("no_model", f"there is no {kind} model of {symbol!r}")
        return Failure("no_model", f"no {kind} model is served, only {' and '.join(self.wanted(None))}")

    def freshness(self, last: LastBar, now: datetime) -> Freshness:
        """Judge a bar at a time ``now`` (UTC): by its symbol's schedule or, if one is set, by the maximum age."""
        found = freshness(last.schedule, last.as_of, now)
        return found if self.max_age is None else replace(found, stale=found.age > self.max_age)

    def stale_symbols(self) -> dict[str, Freshness]:
        """Return the fitted symbols whose newest bars are stale now."""
        now, judged = utc_now(), dict[tuple[object, ...], Freshness]()  # most symbols share schedule and date
        out: dict[str, Freshness] = {}
        for symbol, last in self.last_bars.items():
            if symbol in self.unfitted:
                continue
            key = last.schedule, last.date
            if key not in judged:
                judged[key] = self.freshness(last, now)
            if judged[key].stale:
                out[symbol] = judged[key]
        return out

    def stopped_sources(self) -> list[StoppedSource]:
        """Return the alternative data that models read and that have stopped at the newest bars."""
        newest = {symbol: last.date for symbol, last in self.last_bars.items()}
        read = {source.name for sources in self.sources.values() for source in sources}
        known = {id(one.context): one.context.alternative for one in self.windows.values() if one.context is not None}
        found = (one for data in known.values() if data is not None for one in stopped_sources(data, newest))
        return list({one.name: one for one in found if one.name in read}.values())

    def rendered(self, symbol: str, kinds: tuple[Kind, ...]) -> RenderedAnswer:
        """Return :meth:`prediction` as JSON; rendered once a minute, because ages count, unless it is unknown."""
        minute = int(time.time() // 60)
        made, answer = self._rendered.get((symbol, kinds), (None, None))
        if answer is None or made != minute:
            answer = RenderedAnswer.of(self.prediction(symbol, kinds))
            if symbol in self.last_bars:
                self._rendered[symbol, kinds] = minute, answer
        return answer

    def unknown_symbol(self, symbol: str) -> Failure:
        """Return the error of a symbol that no model can forecast."""
        count, meant = len(self.symbols), self.spelling.nearest(symbol)
        examples = ", ".join(self.symbols[:3]) + (", …" if count > 3 else "")
        parts = [f"no model of {symbol[:64]!r}", *([f"did you mean {meant}?"] if meant else [])]
        message = f"{'; '.join(parts)}{'' if meant else ';'} {count} symbols are served ({examples})"
        if self.unseen:
            message += (
                ". To forecast another symbol, send its bars: in the field bars of a request, or as data in Python."
            )
        return Failure("unknown_symbol", message, meant)


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


def stale_problems(stale: Mapping[str, Freshness], symbols: int) -> list[str]:
    """Return what health says of the stale ones of a number of symbols: nothing, or one sentence with an example."""
    if not stale:
        return []
    symbol, found = min(stale.items(), key=lambda item: (item[1].last, item[0]))
    of_all = f"{len(stale)} of {symbols} symbols are stale" if len(stale) < symbols else "all symbols are stale"
    if len({(one.last, one.missing) for one in stale.values()}) == 1:
        return [f"{of_all}: {found.text}"]
    return [f"{of_all}, such as {symbol}: {found.text}"]


def utc_now() -> datetime:
    """Return the time to the minute, UTC without a zone, as bars have it."""
    return datetime.now(UTC).replace(second=0, microsecond=0, tzinfo=None)

"""The state of a server at one moment: models, newest windows and every symbol's answer, replaced as one value.

Whoever holds a state answers from it alone, so no response can mix versions or bars of two moments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from pydantic_core import to_json

from configs.errors import ModelError
from configs.operation import ServeConfig
from configs.values import Kind
from features.store.store import Store
from serving.answers import KINDS, DirectionForecast, Failure, Prediction, VolatilityForecast
from serving.fleets import Fleet, open_fleet
from serving.latest_windows import LatestWindows, Recipe
from serving.market import Market
from serving.window_cache import WindowCache
from training.registry.manager import ModelManager

Forecast = DirectionForecast | VolatilityForecast
Keep = Callable[[str], bool]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class State:
    """All that answers come from.

    ``versions`` are those of every kind; ``fleets`` hold the models of each that has some of the ``symbols`` (sorted).
    ``forecasts`` hold by kind each symbol's newest forecast, or why it has none; ``newest`` the date and price of each
    symbol's last bar, ``notes`` what is to be known of it. ``market`` is where bars come from, ``stamp`` names those
    that were read. ``unseen`` says whether symbols that were not fitted are forecast by what the fitted ones share,
    ``extra`` are those of the lake.
    """

    versions: Mapping[Kind, str]
    fleets: Mapping[Kind, Fleet]
    tails: Mapping[Kind, LatestWindows]
    symbols: Sequence[str]
    forecasts: Mapping[Kind, Mapping[str, Forecast | Failure]]
    newest: Mapping[str, tuple[datetime, float]]
    notes: Mapping[str, tuple[str, ...]]
    market: Market
    stamp: str
    max_age: timedelta | None
    unseen: bool = True
    extra: frozenset[str] = frozenset()
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    _rendered: dict[tuple[str, tuple[Kind, ...]], Rendered] = field(default_factory=dict)

    @property
    def last_bar(self) -> datetime | None:
        """The date of the newest bar of all."""
        return max((moment for moment, _ in self.newest.values()), default=None)

    def kinds_of(self, symbol: str) -> list[Kind]:
        """Return the kinds of model that hold a symbol, or forecast it from the newest bars without."""
        new = symbol in self.extra
        return [kind for kind, fleet in self.fleets.items() if fleet.knows(symbol, new)]

    def kinds_for_bars(self, symbol: str) -> list[Kind]:
        """Return the kinds of model that can forecast a symbol from bars that are sent."""
        return [kind for kind, fleet in self.fleets.items() if fleet.knows(symbol, self.unseen)]

    def prediction(self, symbol: str, kinds: Sequence[Kind] = KINDS) -> Prediction:
        """Return a symbol's answer from the newest bars; an unknown or stale one has an error."""
        if not self.kinds_of(symbol):
            return Prediction(symbol, error=self.unknown(symbol))
        if symbol not in self.newest:
            reasons = self.market.missing | self.market.unread
            return Prediction(symbol, error=Failure("no_bars", reasons.get(symbol, "no bars are at hand")))
        as_of, close = self.newest[symbol]
        if self.max_age is not None and (age := datetime.now(UTC).replace(tzinfo=None) - as_of) > self.max_age:
            told = f"the newest bar is {age.days} days old; at most {self.max_age.days} are allowed"
            return Prediction(symbol, as_of, close, error=Failure("stale_bars", told))
        bare = Prediction(symbol, as_of, close, notes=self.notes.get(symbol, ()))
        return self.assembled(bare, kinds, self.forecasts)

    def rendered(self, symbol: str, kinds: tuple[Kind, ...]) -> Rendered:
        """Return :meth:`prediction` as JSON; made once, unless its age counts or the symbol is unknown."""
        found = self._rendered.get((symbol, kinds))
        if found is None:
            found = Rendered.of(self.prediction(symbol, kinds))
            if self.max_age is None and symbol in self.newest:
                self._rendered[symbol, kinds] = found
        return found

    def assembled(
        self, bare: Prediction, kinds: Sequence[Kind], forecasts: Mapping[Kind, Mapping[str, Forecast | Failure]]
    ) -> Prediction:
        """Return an answer with these kinds of forecasts of its symbol; the first that is missing gives the error."""
        found: dict[str, Forecast] = {}
        error = None
        for kind in kinds:
            one = forecasts.get(kind, {}).get(bare.symbol)
            if one is None:
                one = Failure("no_model", f"there is no {kind} model of {bare.symbol!r}")
            if isinstance(one, Failure):
                error = error or one
            else:
                found[kind] = one
        return replace(bare, **found, error=error)  # type: ignore[arg-type]

    def unknown(self, symbol: str) -> Failure:
        """Return the error of a symbol that no model holds."""
        held = self.symbols
        some = ", ".join(held[:3]) + (", …" if len(held) > 3 else "")
        return Failure("unknown_symbol", f"no model of {symbol[:64]!r}; {len(held)} symbols are served ({some})")


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer as JSON, its error's ``code`` if it has one, whether it has ``any`` forecast, and ``fallback``."""

    item: bytes
    code: str | None
    any: bool
    fallback: bool

    @classmethod
    def of(cls, prediction: Prediction) -> Rendered:
        """Return an answer as JSON."""
        code = prediction.error.code if prediction.error is not None else None
        some = prediction.direction is not None or prediction.volatility is not None
        return cls(to_json(prediction), code, some, prediction.fallback)


def build_state(
    manager: ModelManager,
    versions: Mapping[Kind, str],
    config: ServeConfig,
    before: State | None = None,
    keep: Keep | None = None,
    stamp: str | None = None,
) -> State:
    """Load models and newest bars, and compute every symbol's answer.

    Parameters
    ----------
    versions
        By kind, at least one.
    before
        A state whose models and windows are used again where they are still right.
    keep
        Which symbols this server holds; all by default.
    stamp
        Which bars to take for the newest; that of the moment by default. With that of ``before``, bars are only read
        again where models need other features.

    Raises
    ------
    ModelError, DataError, StoreError
        A version or the bars cannot be read.
    """
    found = {kind: _fleet(manager, kind, version, before, keep) for kind, version in versions.items()}
    fleets = {kind: fleet for kind, fleet in found.items() if fleet is not None}
    if not fleets:
        raise ModelError("the versions that are served hold none of this server's symbols. Use fewer shards.")
    market = open_market(manager.store, fleets, config, before)
    stamp = market.stamp() if stamp is None else stamp
    unseen = config.unseen == "pooled" and any(fleet.predictor.forecasts_unseen for fleet in fleets.values())
    extra = frozenset(name for name in market.others() if keep is None or keep(name)) if unseen else frozenset()
    tails = _tails(fleets, market, stamp, before, extra)
    market.forget()
    if before is not None and before.stamp == stamp and before.market.symbols == market.symbols:
        market = before.market
    newest: dict[str, tuple[datetime, float]] = {}
    notes: dict[str, tuple[str, ...]] = {}
    for one in {id(one): one for one in tails.values()}.values():
        for symbol, told in one.newest_notes().items():
            notes[symbol] = tuple(dict.fromkeys((*notes.get(symbol, ()), *told)))
        last = one.history.offsets[1:] - 1
        dates, closes = one.history.dates[last].astype("datetime64[us]").tolist(), one.history.close[last].tolist()
        newest |= dict(zip(one.history.symbols, zip(dates, closes, strict=True), strict=True))
    return State(
        versions=dict(versions),
        fleets=fleets,
        tails=tails,
        symbols=sorted(extra.union(*(fleet.position for fleet in fleets.values()))),
        forecasts={kind: _forecasts(fleet, tails[kind], extra) for kind, fleet in fleets.items()},
        unseen=unseen,
        extra=extra,
        newest=newest,
        notes=notes,
        market=market,
        stamp=stamp,
        max_age=None if config.max_age_days is None else timedelta(days=config.max_age_days),
    )


def open_market(store: Store, fleets: Mapping[Kind, Fleet], config: ServeConfig, before: State | None) -> Market:
    """Return the bars of all symbols of these models' versions: what compares a symbol with others needs them all.

    Without a lake they come from where the newest of the versions was trained. Who read the lake before goes on doing
    so: an empty one is a problem, and no reason for older bars from elsewhere.
    """
    everyone = sorted(frozenset[str]().union(*(fleet.everyone for fleet in fleets.values())))
    newest = max(fleets.values(), key=lambda fleet: fleet.created)
    name = "lake" if before is not None and before.market.name == "lake" else newest.predictor.config.data.bars
    contexts = [fleet.predictor.config for fleet in fleets.values()]
    return Market(store, name, everyone, config.history_bars, contexts)


def _fleet(manager: ModelManager, kind: Kind, version: str, before: State | None, keep: Keep | None) -> Fleet | None:
    """Return a kind's models, loaded before or now; None where this server holds none of its symbols."""
    if before is not None and kind in before.fleets and before.fleets[kind].version == version:
        return before.fleets[kind]
    if keep is None:
        return open_fleet(manager, kind, version)
    mine = {symbol for symbol in manager.roster(kind, version).symbols() if keep(symbol)}
    return open_fleet(manager, kind, version, mine) if mine else None


def _tails(
    fleets: Mapping[Kind, Fleet], market: Market, stamp: str, before: State | None, extra: frozenset[str]
) -> dict[Kind, LatestWindows]:
    """Return each kind's tails; kinds with one recipe share theirs, and unchanged ones are those of before.

    ``extra`` are symbols that no model was fitted on.
    """
    recipes = {kind: Recipe.of(fleet.predictor) for kind, fleet in fleets.items()}
    out: dict[Kind, LatestWindows] = {}
    for kind, recipe in recipes.items():
        alike = [other for other, theirs in recipes.items() if theirs == recipe]
        if made := next((out[other] for other in alike if other in out), None):
            out[kind] = made
            continue
        window = max(fleets[other].predictor.window for other in alike)
        wanted = extra.union(*(fleets[other].position for other in alike))
        held = before.tails.values() if before is not None and before.stamp == stamp else ()
        usable = (one for one in held if one.recipe == recipe and one.serves(window, wanted))
        out[kind] = next(usable, None) or _fresh(recipe, window, wanted, market, stamp)
    return out


def _fresh(recipe: Recipe, window: int, wanted: frozenset[str], market: Market, stamp: str) -> LatestWindows:
    """Return tails that an earlier server kept, or else those of the bars."""
    kept = WindowCache(recipe, window, wanted, market, stamp)
    if (found := kept.read()) is not None:
        return found
    table, note = recipe.table(market.bars())
    fresh = LatestWindows.build(
        recipe, window, market.wanted_bars(wanted), frozenset(wanted), table, market.context(recipe.config), note
    )
    kept.write(fresh)
    return fresh


def _forecasts(fleet: Fleet, tails: LatestWindows, extra: frozenset[str]) -> dict[str, Forecast | Failure]:
    wanted = extra.union(fleet.position) if fleet.predictor.forecasts_unseen else frozenset(fleet.position)
    symbols, windows, short = tails.windows(fleet.predictor, wanted)
    found: dict[str, Forecast | Failure] = {symbol: Failure("too_few_bars", why) for symbol, why in short.items()}
    if windows is not None:
        rows = np.array([fleet.row(symbol) for symbol in symbols], np.int64)
        found |= dict(zip(symbols, fleet.forecast(windows, rows), strict=True))
    return found

"""The prediction engine: what a notebook calls and what every replica of the server runs. It knows nothing of Ray."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Self

from configs.operation import ServeConfig
from configs.values import Kind
from features.store.store import Store
from serving.answers import Failure, Prediction, PredictionRequest, PredictionResponse
from serving.cache import LruCache, bars_hash
from serving.counters import Statistics
from serving.follower import Follower
from serving.history import history_of
from serving.sent import SentBars, forecast_sent, read_sent
from serving.state import Keep, Rendered, State

Source = Literal["snapshot", "cache", "computed", "refused"]

_CACHED = 4096


class PredictionEngine:
    """Forecasts any mix of symbols, from the newest bars or from bars that a request brings. Safe with several threads.

    Answers from the newest bars are computed once for each version and bar, which also compiles every pass before the
    first request. Requests with bars are featurised, and then
    answered together by one forward pass a kind. A thread watches the store: another champion or newer bars replace the
    whole state at once, and what cannot be read leaves it as it is, with the reason in :meth:`health_check`.

    Parameters
    ----------
    store
        A store, or its path or URI; by default ``FLEETCAST_STORE`` or ``.fleetcast``.
    alias
        What to serve: an alias, ``latest``, or a version's name.
    max_workers
        Requests whose bars are read and checked at the same time.
    enable_caching
        Whether answers to the same bars are kept.
    config
        Histories, ages and polling.
    keep
        Which symbols to hold; all by default.
    follow
        Whether to watch the store; without, :meth:`refresh` looks once.

    Raises
    ------
    ModelError, DataError, StoreError
        There is nothing to serve, or it cannot be read.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from configs import load_config
    >>> from training import ModelTrainer
    >>> trainer = ModelTrainer(load_config("smoke"), store=mkdtemp())
    >>> _ = trainer.train_multi_asset_models(["AAPL", "IBM"])
    >>> with PredictionEngine(trainer.store) as engine:
    ...     answer = engine.predict_single(PredictionRequest(symbol="AAPL"))
    >>> answer.as_of.date().isoformat(), answer.direction.label in ("down", "sideways", "up")
    ('2013-03-01', True)
    """

    def __init__(
        self,
        store: Store | str | os.PathLike[str] | None = None,
        *,
        alias: str = "champion",
        max_workers: int = 4,
        enable_caching: bool = True,
        config: ServeConfig | None = None,
        keep: Keep | None = None,
        follow: bool = True,
    ) -> None:
        if store is None:
            store = os.environ.get("FLEETCAST_STORE", ".fleetcast")
        self.config = config or ServeConfig()
        self.statistics = Statistics()
        self._cache = LruCache[Prediction](_CACHED) if enable_caching else None
        self._pool = ThreadPoolExecutor(max_workers, thread_name_prefix="reading")
        self._follower = Follower(store, alias, self.config, keep)
        if follow:
            self._follower.start()

    @property
    def state(self) -> State:
        """What answers come from at this moment; hold it to answer one request from one state."""
        return self._follower.state

    def state_of(self, versions: Mapping[Kind, str] | None) -> State:
        """Return the present state, or an earlier one if only that one serves these versions."""
        state: State = self.state
        if versions is None or state.versions == versions:
            return state
        return next((one for one in self._follower.earlier if one.versions == versions), state)

    def history(self, symbol: str, bars: int) -> dict[str, Any] | None:
        """Return a symbol's last prices, and what was forecast out of sample; see :mod:`serving.history`."""
        return history_of(self.state, symbol, bars)

    def predict_single(self, request: PredictionRequest) -> PredictionResponse:
        """Return the answer for one symbol; what is missing is explained in its ``error``, nothing is raised."""
        return self.predict_batch([request])[0]

    def predict_batch(
        self, requests: Sequence[PredictionRequest], versions: Mapping[Kind, str] | None = None
    ) -> list[PredictionResponse]:
        """Return the answers in the order of the requests, all from one state; one bad request leaves the others alone.

        Requests that bring bars share one forward pass a kind. ``versions`` are as for :meth:`state_of`.
        """
        start, state = time.perf_counter(), self.state_of(versions)
        found: dict[int, tuple[Prediction, Source]] = {}
        sent: dict[int, SentBars] = {}
        with_bars = [i for i, one in enumerate(requests) if one.data is not None]
        for i, one in enumerate(requests):
            if one.data is None:
                found[i] = state.prediction(one.symbol, one.prediction_types), "snapshot"
        mapped = self._pool.map if len(with_bars) > 1 else map
        read = mapped(lambda i: read_sent(state, requests[i], self.config.history_bars), with_bars)
        for i, outcome in zip(with_bars, read, strict=True):
            if isinstance(outcome, Failure):
                found[i] = Prediction(requests[i].symbol, error=outcome), "refused"
            else:
                sent[i] = outcome
        found |= self._answers(state, sent)
        seconds, versions = time.perf_counter() - start, {**state.versions}
        for i in range(len(requests)):
            prediction, source = found[i]
            errors = [prediction.error.code] if prediction.error else ()
            self.statistics.add(source, seconds, errors, fallbacks=int(prediction.fallback))
        return [PredictionResponse(found[i][0], seconds, found[i][1], versions) for i in range(len(requests))]

    def render(
        self, symbols: Sequence[str], kinds: tuple[Kind, ...], versions: Mapping[Kind, str] | None = None
    ) -> tuple[State, list[Rendered]]:
        """Return the answers from the newest bars as JSON, one a symbol, and the state they come from."""
        start, state = time.perf_counter(), self.state_of(versions)
        items = [state.rendered(symbol, kinds) for symbol in symbols]
        errors = [one.code for one in items if one.code is not None]
        fallbacks = sum(one.fallback for one in items)
        self.statistics.add("snapshot", time.perf_counter() - start, errors, len(items), fallbacks)
        return state, items

    def refresh(self) -> bool:
        """Look for another champion or newer bars now, and return whether there is a new state."""
        return self._follower.refresh()

    def get_performance_stats(self) -> dict[str, Any]:
        """Return counts, success rate, cache hit rate and processing times; see :meth:`.Statistics.summary`."""
        return self.statistics.summary()

    def health_check(self) -> dict[str, Any]:
        """Return whether forecasts are available and as new as they should be.

        ``status`` is ``ok``; ``degraded`` where the store holds something that could not be loaded, where bars are
        older than ``max_age_days`` or where a note tells of missing features.
        """
        state, now = self.state, datetime.now(UTC)
        newest_bar, today = state.last_bar, now.replace(tzinfo=None)
        age = None if newest_bar is None else today - newest_bar
        fitted = [day for name, (day, _) in state.newest.items() if name not in state.extra]
        stale = 0 if state.max_age is None else sum(today - day > state.max_age for day in fitted)
        problems = [problem for problem in (self._follower.problem,) if problem]
        problems += sorted({tails.note for tails in state.tails.values() if tails.note})
        if stale:
            problems.append(f"the newest bars of {stale} symbols are older than serve.max_age_days allows")
        if state.market.missing:
            problems.append(
                f"{len(state.market.missing)} symbols have no bars, such as {next(iter(state.market.missing))}"
            )
        return {
            "status": "degraded" if problems else "ok",
            "problems": problems,
            "models": {
                kind: {
                    "version": fleet.version,
                    "symbols": len(fleet.position),
                    "age_days": round((now - fleet.created).total_seconds() / 86400, 2),
                }
                for kind, fleet in state.fleets.items()
            },
            "bars": {
                "source": state.market.name,
                "symbols": len(state.newest),
                "newest": newest_bar.isoformat() if newest_bar else None,
                "age_days": None if age is None else round(age.total_seconds() / 86400, 2),
            },
            "loaded": state.made.isoformat(timespec="seconds"),
        }

    def close(self) -> None:
        """Stop watching the store."""
        self._follower.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        """Return the engine; it is closed at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the engine."""
        self.close()

    def _answers(self, state: State, sent: Mapping[int, SentBars]) -> dict[int, tuple[Prediction, Source]]:
        """Return the answers to bars that were sent: those that are cached, and the others computed together."""
        found: dict[int, tuple[Prediction, Source]] = {}
        keys: dict[int, Any] = {}
        if self._cache is not None:
            for i, one in sent.items():
                keys[i] = (one.symbol, one.kinds, one.notes, bars_hash(one.bars), state.stamp, *state.versions.items())
                if (held := self._cache.get(keys[i])) is not None:
                    found[i] = held, "cache"
        left = {i: one for i, one in sent.items() if i not in found}
        if left:
            self.statistics.add_batch(len(left))
        for i, prediction in zip(left, forecast_sent(state, list(left.values())), strict=True):
            found[i] = prediction, "computed"
            if self._cache is not None and (prediction.error is None or prediction.error.code != "internal"):
                self._cache.put(keys[i], prediction)
        return found

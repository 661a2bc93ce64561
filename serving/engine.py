"""The prediction engine, for a notebook and for every replica of the server. It does not depend on Ray."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from configs.errors import ConfigError, require, shown
from configs.operation import ServeConfig
from configs.values import Kind
from features.bars.merge import fingerprint
from features.store.store import Store, open_store
from serving.answer_cache import AnswerCache
from serving.answers import Failure, Prediction, PredictionRequest, PredictionResponse, Source
from serving.engine_health import health_of
from serving.engine_statistics import EngineStatistics
from serving.follower import Follower
from serving.frames import Predictions
from serving.history import history_of
from serving.request_bars import RequestBars, forecast_request_bars, read_request_bars, with_age
from serving.snapshot import RenderedAnswer, Snapshot
from serving.snapshot_builder import SymbolFilter

_CACHED_ANSWERS = 4096


class PredictionEngine:
    """Forecasts any mix of symbols, from the newest bars or from bars in the request. Thread-safe.

    Answers from the newest bars are computed once per version and bar, which also compiles the models before the first
    request. Requests with bars are featurised one by one and then answered by one forward pass per kind. A thread
    watches the store: another champion or newer bars replace the whole snapshot at once. What cannot be read leaves it
    as it is, with the reason in :meth:`health_check`.

    Parameters
    ----------
    store
        A store, or its path or URI; by default ``FLEETCAST_STORE`` or ``.fleetcast``.
    alias
        What to serve: an alias, ``latest``, or a version's name.
    max_workers
        Number of requests whose bars are read and validated concurrently.
    enable_caching
        Whether answers to the same bars are cached.
    config
        Settings of history lengths, ages and polling.
    keep
        Which symbols to load; all by default.
    follow
        Whether to watch the store; without, :meth:`refresh` checks it once.

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
        keep: SymbolFilter | None = None,
        follow: bool = True,
    ) -> None:
        require(alias, str, "alias", "an alias, latest, or a version's name")
        if isinstance(max_workers, bool) or not isinstance(max_workers, int) or max_workers < 1:
            raise ConfigError(f"max_workers is {shown(max_workers)}; expected a number of threads, at least 1.")
        if config is not None and not isinstance(config, ServeConfig):
            raise ConfigError(f"config is {shown(config)}; expected a ServeConfig, such as load_config().serve.")
        self.config = config or ServeConfig()
        self.statistics = EngineStatistics()
        self._cache = AnswerCache(_CACHED_ANSWERS) if enable_caching else None
        self._pool = ThreadPoolExecutor(max_workers, thread_name_prefix="reading")
        self._follower = Follower(open_store(store), alias, self.config, keep)
        if follow:
            self._follower.start()

    @property
    def snapshot(self) -> Snapshot:
        """The present snapshot; use one for all parts of an answer."""
        return self._follower.snapshot

    def snapshot_of(self, versions: Mapping[Kind, str] | None) -> Snapshot:
        """Return the present snapshot, or a previous one if only that one has these versions."""
        present = self.snapshot
        if versions is None or present.versions == versions:
            return present
        return next((old for old in self._follower.previous if old.versions == versions), present)

    def history(self, symbol: str, bars: int) -> dict[str, Any] | None:
        """Return a symbol's last prices and past forecasts; see :func:`.history_of`."""
        return history_of(self.snapshot, symbol, bars)

    def predict_single(self, request: PredictionRequest) -> PredictionResponse:
        """Return the answer for one symbol; its ``error`` explains what is missing, nothing is raised."""
        return self.predict_batch([request])[0]

    def predict_batch(
        self, requests: Sequence[PredictionRequest], versions: Mapping[Kind, str] | None = None
    ) -> Predictions[PredictionResponse]:
        """Return the answers in the order of the requests, all from one snapshot; one bad request fails no other.

        Requests with bars share one forward pass per kind. ``versions`` is as for :meth:`snapshot_of`.
        """
        return self.predict_from(self.snapshot_of(versions), requests)

    def predict_from(
        self, snapshot: Snapshot, requests: Sequence[PredictionRequest]
    ) -> Predictions[PredictionResponse]:
        """Return the answers as :meth:`predict_batch` does, from this snapshot."""
        require(requests, (list, tuple), "requests", "a list of PredictionRequest")
        for request in requests:
            require(request, PredictionRequest, "a request", "a PredictionRequest, such as PredictionRequest('AAPL')")
        start = time.perf_counter()
        found: dict[int, tuple[Prediction, Source]] = {}
        readable: dict[int, RequestBars] = {}
        with_bars = [i for i, request in enumerate(requests) if request.data is not None]
        for i, request in enumerate(requests):
            if request.data is None:
                found[i] = snapshot.prediction(request.symbol, request.kinds), "snapshot"
        mapped = self._pool.map if len(with_bars) > 1 else map
        read = mapped(lambda i: read_request_bars(snapshot, requests[i], self.config.history_bars), with_bars)
        for i, outcome in zip(with_bars, read, strict=True):
            if isinstance(outcome, Failure):
                found[i] = Prediction(requests[i].symbol, error=outcome), "refused"
            else:
                readable[i] = outcome
        for i, (prediction, source) in self._forecast(snapshot, readable).items():
            found[i] = with_age(snapshot, readable[i], prediction), source
        seconds = time.perf_counter() - start
        responses = Predictions[PredictionResponse]()
        for i in range(len(requests)):
            prediction, source = found[i]
            errors = [prediction.error.code] if prediction.error else ()
            self.statistics.add(source, seconds, errors, fallbacks=int(prediction.fallback))
            responses.append(PredictionResponse(prediction, seconds, source, dict(snapshot.versions)))
        return responses

    def render(
        self, symbols: Sequence[str], kinds: tuple[Kind, ...] | None, versions: Mapping[Kind, str] | None = None
    ) -> tuple[Snapshot, list[RenderedAnswer]]:
        """Return the answers from the newest bars as JSON, one per symbol, and the snapshot they come from."""
        start, snapshot = time.perf_counter(), self.snapshot_of(versions)
        wanted = snapshot.wanted(kinds)
        answers = [snapshot.rendered(symbol, wanted) for symbol in symbols]
        errors = [answer.code for answer in answers if answer.code is not None]
        fallbacks = sum(answer.fallback for answer in answers)
        self.statistics.add("snapshot", time.perf_counter() - start, errors, len(answers), fallbacks)
        return snapshot, answers

    def refresh(self) -> bool:
        """Check for another champion or newer bars now, and return whether there is a new snapshot."""
        return self._follower.refresh()

    def get_performance_stats(self) -> dict[str, Any]:
        """Return counts, success rate, cache hit rate and processing times; see :meth:`.EngineStatistics.summary`."""
        return self.statistics.summary()

    def health_check(self) -> dict[str, Any]:
        """Return whether forecasts are available and up to date; see :func:`.health_of`."""
        return health_of(self.snapshot, self._follower.problem)

    def close(self) -> None:
        """Stop watching the store."""
        self._follower.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        """Return the engine; leaving the context closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the engine."""
        self.close()

    def _forecast(
        self, snapshot: Snapshot, requests: Mapping[int, RequestBars]
    ) -> dict[int, tuple[Prediction, Source]]:
        """Return the answers to bars in requests: the cached ones, and the others computed together."""
        found: dict[int, tuple[Prediction, Source]] = {}
        keys: dict[int, Any] = {}
        if self._cache is not None:
            for i, request in requests.items():
                inputs = request.symbol, request.kinds, request.notes, fingerprint(request.bars)
                keys[i] = (*inputs, snapshot.bars_stamp, *snapshot.versions.items())
                if (cached := self._cache.get(keys[i])) is not None:
                    found[i] = cached, "cache"
        left = {i: request for i, request in requests.items() if i not in found}
        if left:
            self.statistics.add_batch(len(left))
        for i, prediction in zip(left, forecast_request_bars(snapshot, list(left.values())), strict=True):
            found[i] = prediction, "computed"
            if self._cache is not None and (prediction.error is None or prediction.error.code != "internal"):
                self._cache.put(keys[i], prediction)
        return found

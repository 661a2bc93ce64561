"""The Ray Serve application: replicas that each run an engine and answer HTTP themselves.

``fleetcast serve``, ``serve run`` and a Serve config file use ``serving.app:build``. The engine runs in the replica
that receives the request, because a call to another deployment takes longer than the answer.
"""

import logging
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, SecretStr
from ray import serve
from ray.serve.config import AutoscalingConfig, BackpressureConfig

from configs.journal import JournalConfig
from configs.operation import ServeConfig
from serving.web.keys import Keys

if TYPE_CHECKING:
    from serving.journal.served import ServedPredictions
    from serving.web.live_bots import LiveBots
    from serving.web.live_monitoring import LiveMonitoring
    from serving.web.meter import Meter
    from serving.web.prediction_service import PredictionService

_HEALTH_EVERY_S = 1.0
_UNLIMITED = 1_000_000  # the slots of ``serve.max_ongoing`` are given out behind the keys and the bodies: by the guard


class Arguments(BaseModel):
    """Arguments of ``build``: the store, what to serve, and how.

    ``store`` and ``key_file`` must be reachable from every node that may run a replica. ``host`` is the address that
    Serve listens at: without keys it decides which ``Host`` headers are answered. ``journal`` is the URL of the
    database that served predictions are recorded in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: str
    alias: str = "champion"
    key_file: str | None = None
    host: str | None = None
    config: ServeConfig = ServeConfig()
    journal: SecretStr | None = None
    journal_config: JournalConfig = JournalConfig()


class Replica:
    """One replica with its engine, which is warmed up before the replica reports ready."""

    _meter: "Meter"
    _service: "PredictionService"

    def __init__(self, arguments: Arguments, shard: int = 0, shards: int = 1) -> None:
        start = time.perf_counter()
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from serving.engine import PredictionEngine
        from serving.web.meter import RayMeter
        from serving.web.prediction_service import EngineService
        from serving.web.shards import shard_of
        from training.models.fleet.threads import use_threads

        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")  # to Ray's log of this worker
        logging.getLogger("serving").setLevel(min(logging.INFO, logging.getLogger("serving").getEffectiveLevel()))
        config = arguments.config
        use_threads(max(1, int(config.cpus_per_replica)))

        def keep(symbol: str) -> bool:
            return shard_of(symbol, shards) == shard

        self._arguments, self._meter = arguments, RayMeter()
        self._engine = PredictionEngine(
            arguments.store, alias=arguments.alias, config=config, keep=keep if shards > 1 else None
        )
        self._journal = _journal(arguments, self._meter)
        ready_s = time.perf_counter() - start
        self._service = EngineService(self._engine, config.max_queued, self._meter, ready_s, self._journal)

    def __del__(self) -> None:
        """Write what waits for the journal; Serve calls this when a replica ends."""
        if (journal := getattr(self, "_journal", None)) is not None:
            journal.close()


class Ingress:
    """Answers HTTP from its service, and checks the key file every second."""

    _arguments: Arguments
    _meter: "Meter"
    _service: "PredictionService"
    _keys: Keys | None = None
    _key_problem = ""

    def __serve_build_asgi_app__(self) -> Any:
        """Return the application that Serve sends requests to."""
        from features.store.store import open_store
        from serving.web.api import build_api
        from training.registry.reports import Reports

        if self._arguments.key_file is not None:
            self._keys = Keys(self._arguments.key_file)
        arguments = self._arguments
        return build_api(
            self._service,
            arguments.config,
            keys=self._keys,
            meter=self._meter,
            host=arguments.host,
            reports=Reports(open_store(arguments.store)),
            monitoring=_monitoring(arguments),
            bots=_bots(arguments),
        )

    def check_health(self) -> None:
        """Read the key file; Serve calls this every second."""
        problem = "" if self._keys is None else self._keys.refresh()
        if problem and problem != self._key_problem:
            logging.getLogger(__name__).error(problem)
        self._key_problem = problem


class Server(Ingress, Replica):
    """A replica that answers HTTP from its own engine."""


class Shard(Replica):
    """A replica that answers routers for its shard of the symbols."""

    async def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of :class:`serving.web.prediction_service.PredictionService`."""
        return await getattr(self._service, method)(*arguments)


class Router(Ingress):
    """A replica without models: it answers HTTP by asking shards."""

    def __init__(self, arguments: Arguments, shards: Sequence[Any]) -> None:
        from serving.web.meter import RayMeter
        from serving.web.shards import RemoteService, ShardedService

        self._arguments, self._meter = arguments, RayMeter()
        self._service = ShardedService([RemoteService(handle) for handle in shards])


def build(arguments: Arguments) -> serve.Application:
    """Return the application; Serve validates ``arguments`` of its config file or command line against their type."""
    return application(arguments)


def application(arguments: Arguments, drain_poll_s: float = 2.0) -> serve.Application:
    """Return one deployment or, for more symbols than ``shard_symbols``, a router and one deployment per shard.

    A replica that ends waits ``drain_poll_s`` seconds before it first checks whether requests are in progress, in which
    the proxies of other nodes stop sending more.
    """
    config = arguments.config
    limits: dict[str, Any] = {
        "health_check_period_s": _HEALTH_EVERY_S,
        "health_check_timeout_s": 30.0,
        "graceful_shutdown_timeout_s": config.timeout_s,
        "graceful_shutdown_wait_loop_s": drain_poll_s,
        **_scaling(config),
    }
    models: dict[str, Any] = {"ray_actor_options": {"num_cpus": config.cpus_per_replica}}
    http: dict[str, Any] = {"max_ongoing_requests": _UNLIMITED, "max_queued_requests": config.max_queued}
    http |= {"backpressure_config": BackpressureConfig(status_code=429, retry_after_s=1)}
    inner: dict[str, Any] = {"max_ongoing_requests": config.max_ongoing, "max_queued_requests": config.max_queued}
    shards = count_shards(arguments)
    if shards <= 1:
        server = serve.deployment(name="fleetcast", **limits, **models, **http)(serve.ingress()(Server))
        return server.bind(arguments)
    parts = [
        serve.deployment(name=f"fleetcast-shard-{i}", **limits, **inner, **models)(Shard).bind(arguments, i, shards)
        for i in range(shards)
    ]
    router = serve.deployment(
        name="fleetcast", **limits, **http, ray_actor_options={"num_cpus": config.cpus_per_router}
    )
    return router(serve.ingress()(Router)).bind(arguments, parts)


def count_shards(arguments: Arguments) -> int:
    """Return the number of shards for the symbols that have a model of any kind."""
    from serving.fleets import resolve_versions
    from training.registry.manager import ModelManager

    manager = ModelManager(arguments.store)
    versions = resolve_versions(manager, arguments.alias)
    symbols = {symbol for kind, version in versions.items() for symbol in manager.roster(kind, version).symbols()}
    return -(-len(symbols) // arguments.config.shard_symbols)


def _journal(arguments: Arguments, meter: "Meter") -> "ServedPredictions | None":
    if arguments.journal is None:
        return None
    from serving.journal import open_journal
    from serving.journal.served import ServedPredictions

    url, config = arguments.journal.get_secret_value(), arguments.journal_config
    return ServedPredictions(lambda: open_journal(url, config=config), config, meter.journal)


def _monitoring(arguments: Arguments) -> "LiveMonitoring | None":
    if arguments.journal is None:
        return None
    from serving.journal import open_journal
    from serving.monitoring.monitor import Monitor
    from serving.web.live_monitoring import LiveMonitoring
    from training.registry.manager import ModelManager

    url, config = arguments.journal.get_secret_value(), arguments.journal_config
    return LiveMonitoring(lambda: Monitor(open_journal(url, config=config), ModelManager(arguments.store)))


def _bots(arguments: Arguments) -> "LiveBots | None":
    if arguments.journal is None:
        return None
    from serving.journal import open_journal
    from serving.web.live_bots import LiveBots

    url, config = arguments.journal.get_secret_value(), arguments.journal_config
    return LiveBots(lambda: open_journal(url, config=config, create=False))


def _scaling(config: ServeConfig) -> dict[str, Any]:
    if config.max_replicas is None or config.max_replicas <= config.replicas:
        return {"num_replicas": config.replicas}
    return {
        "autoscaling_config": AutoscalingConfig(
            min_replicas=config.replicas,
            max_replicas=config.max_replicas,
            target_ongoing_requests=max(1, config.max_ongoing // 4),
        )
    }

"""The Ray Serve application: replicas that each hold an engine and answer HTTP themselves.

``serving.app:build`` makes it, for ``fleetcast serve``, for ``serve run`` and for a Serve config file. The engine lives
in the replica that receives the request: a call to another deployment would take longer than the answer.
"""

import logging
import os
from typing import Any

from pydantic import BaseModel, ConfigDict
from ray import serve
from ray.serve.config import AutoscalingConfig, BackpressureConfig

from configs.schema import ServeConfig
from serving.web.keys import Keys

_HEALTH_EVERY_S = 1.0
_DRAIN_S = 10.0


class Arguments(BaseModel):
    """What ``build`` needs: where the models are, what to serve, and how.

    ``store`` and ``key_file`` must be reachable from every node that may run a replica.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: str
    alias: str = "champion"
    key_file: str | None = None
    config: ServeConfig = ServeConfig()


class Replica:
    """One replica: its engine, warmed up before it reports ready."""

    def __init__(self, arguments: Arguments) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from serving.engine import PredictionEngine
        from training.fleet.backend import use_threads

        logging.getLogger("fleetcast.serving").setLevel(logging.INFO)
        use_threads(max(1, int(arguments.config.cpus_per_replica)))
        self._arguments = arguments
        self._keys = None if arguments.key_file is None else Keys(arguments.key_file)
        self._engine = PredictionEngine(arguments.store, alias=arguments.alias, config=arguments.config)
        self._engine.warm_up()

    def __serve_build_asgi_app__(self) -> Any:
        """Return the application that Serve sends requests to."""
        from serving.web.api import build_api
        from serving.web.desk import EngineDesk
        from serving.web.meter import RayMeter

        config, meter = self._arguments.config, RayMeter()
        return build_api(EngineDesk(self._engine, config.max_queued, meter), config, keys=self._keys, meter=meter)

    def check_health(self) -> None:
        """Look at the key file; Serve calls this every second and replaces a replica that fails."""
        if self._keys is not None:
            self._keys.refresh()


def build(arguments: Arguments) -> serve.Application:
    """Return the application; Serve validates ``arguments`` of its config file or command line against their type."""
    config = arguments.config
    scaling: dict[str, Any] = {"num_replicas": config.replicas}
    if config.max_replicas is not None and config.max_replicas > config.replicas:
        scaling = {
            "autoscaling_config": AutoscalingConfig(
                min_replicas=config.replicas,
                max_replicas=config.max_replicas,
                target_ongoing_requests=max(1, config.max_ongoing // 4),
            )
        }
    deployment = serve.deployment(
        name="fleetcast",
        ray_actor_options={"num_cpus": config.cpus_per_replica},
        max_ongoing_requests=config.max_ongoing,
        max_queued_requests=config.max_queued,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        health_check_period_s=_HEALTH_EVERY_S,
        health_check_timeout_s=30.0,
        graceful_shutdown_timeout_s=_DRAIN_S,
        **scaling,
    )
    return deployment(serve.ingress()(Replica)).bind(arguments)

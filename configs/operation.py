"""How runs, sweeps and servers execute, and on which machines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from configs.space import Parameter
from configs.values import Fraction, Frozen, Kind, Positive, age_limit, unique


class RunConfig(Frozen):
    """How a run executes; nothing here changes a fitted number except ``seed``.

    ``workers`` must fit the cluster when a run starts and is its maximum; ``None`` uses all free processors, and more
    as the cluster grows. A job that fails is tried ``retries`` more times. ``studies`` names the studies whose
    settings are used, as ``study/trial``.
    """

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1), AfterValidator(unique)] = ("direction", "volatility")
    seed: Annotated[int, Field(ge=0)] = 7
    workers: Positive | None = None
    cpus_per_worker: Annotated[float, Field(gt=0)] = 1.0
    use_gpu: bool = False
    block_symbols: Positive = 32
    studies: tuple[str, ...] = ()
    retries: Annotated[int, Field(ge=0)] = 2


class TuneConfig(Frozen):
    """How a sweep searches for the settings of models; nothing here changes a fitted number.

    Each trial fits one fleet of ``symbols`` sampled symbols on ``folds`` expanding folds before the test period. The
    test parts of these folds, and of a later one that scores the best ``finalists``, together are ``scored_fraction``
    of the dates before the test period. ``early_stopping`` ends trials with a high validation loss (successive halving
    by ``reduction``). ``sampler`` ``nsga2`` searches for a low loss and a low cost, without early stopping. ``space``
    changes the search space of a kind by the path of a setting: ``direction.fit.learning_rate: {low: 1e-4, high:
    1e-3}`` or ``direction.network.window: {values: [5, 10]}`` narrows or adds a setting, ``null`` removes it.
    """

    trials: Positive = 40
    symbols: Positive = 32
    folds: Positive = 2
    scored_fraction: Fraction = 0.4
    sampler: Literal["tpe", "random", "nsga2"] = "tpe"
    early_stopping: bool = True
    reduction: Annotated[int, Field(ge=2)] = 3
    finalists: Positive = 4
    space: dict[str, Parameter | None] = Field(default_factory=dict)


class ServeConfig(Frozen):
    """How models are served; nothing here changes a forecast, and versions do not store it.

    Each of ``replicas`` (Ray Serve adds more under load, up to ``max_replicas``) loads the models and newest windows of
    at most ``shard_symbols`` symbols. More symbols are divided into shards, each with its own replicas, behind routers
    with ``cpus_per_router``. A replica checks every ``poll_s`` seconds for a new champion or newer bars.
    ``history_bars`` bars of each symbol are read: recursive features and GARCH variances depend little on older ones.
    Forecasts from stale bars have a note. With ``max_age_days: calendar`` bars are stale when more than three are
    missing of the sessions, days or hours on which the symbol trades; a number is a limit instead: older bars give an
    error in place of a forecast. Serve answers 429 when ``max_ongoing`` requests are processed and ``max_queued`` wait;
    a replica answers 503 when more than ``max_queued`` forecasts of bars in requests wait. ``requests_per_minute``
    limits each API key in each replica, or all clients together if there are no keys. ``fast_ingress`` puts HAProxy in
    front of the replicas. Symbols without a fitted model, in the lake or in the request, are forecast by what all
    fitted symbols share (``unseen: pooled``), or get an error (``refuse``).
    """

    replicas: Positive = 1
    max_replicas: Positive | None = None
    cpus_per_replica: Annotated[float, Field(gt=0)] = 1.0
    cpus_per_router: Annotated[float, Field(gt=0)] = 0.1
    shard_symbols: Positive = 5_000
    poll_s: Annotated[float, Field(gt=0)] = 2.0
    history_bars: Annotated[int, Field(ge=250)] = 2500
    max_age_days: Annotated[float | Literal["calendar"], BeforeValidator(age_limit)] = "calendar"
    max_body_mib: Annotated[float, Field(gt=0)] = 8.0
    max_ongoing: Positive = 256
    max_queued: Positive = 512
    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    requests_per_minute: Positive | None = None
    fast_ingress: bool = True
    unseen: Literal["pooled", "refuse"] = "pooled"


class CloudConfig(Frozen):
    """Machines that ``ray up`` rents; every value is specific to an account, so there are no defaults.

    ``image`` is their disk image: Ubuntu with Python 3.11 to 3.13, and NVIDIA's driver if there are GPUs (AWS:
    ``ami-…``; Google: ``projects/…/images/…``). AWS needs ``region`` and a ``security_group`` that admits its members
    to every port and you to port 22: the group that Ray creates admits every address. Google needs ``project``,
    ``zone`` and a ``subnetwork`` whose firewall does the same.
    """

    image: str | None = None
    region: str | None = None
    security_group: str | None = None
    project: str | None = None
    zone: str | None = None
    subnetwork: str | None = None


class DeployConfig(Frozen):
    """The clusters that ``fleetcast manifests`` describes; nothing here changes a fitted number or a forecast.

    ``nodes`` of ``node_cpus`` processors train, with ``node_gpus`` GPUs each if ``run.use_gpu``; their number follows
    from ``run.workers`` if that is set. Every node has ``gib_per_cpu`` of memory. Models are trained again on
    ``schedule`` (cron) in ``time_zone``; an attempt may take ``deadline_hours``, and ``retries`` more follow. Serving
    is sized for ``served_symbols``; by default they fit in one shard. ``redis`` (``host:port``) stores the cluster's
    state while its head restarts; ``null`` omits it. Nodes get access to the store by ``service_account``, or by
    ``store_secret`` with the environment variables of the object store.
    """

    name: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$")] = "fleetcast"
    nodes: Positive = 2
    node_cpus: Positive = 8
    node_gpus: Positive = 1
    head_cpus: Positive = 2
    gib_per_cpu: Annotated[float, Field(gt=0)] = 4.0
    schedule: str = "0 6 * * 6"
    time_zone: str = "Etc/UTC"
    deadline_hours: Annotated[float, Field(gt=0)] = 6.0
    retries: Annotated[int, Field(ge=0)] = 2
    served_symbols: Positive | None = None
    redis: str | None = "redis:6379"
    service_account: str | None = None
    store_secret: str | None = None
    cloud: CloudConfig = CloudConfig()

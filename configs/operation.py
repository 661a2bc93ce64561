"""Where and how the work is done: runs, sweeps, servers and the machines they are on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from configs.space import Parameter
from configs.values import Fraction, Frozen, Kind, Positive, once


class RunConfig(Frozen):
    """Where and how a run executes; nothing here changes a fitted number except ``seed``.

    ``workers`` must fit the cluster when a run begins, and there are never more; ``None`` takes what is free, and more
    as the cluster grows. ``studies`` tells where settings were found, as ``study/trial``.
    """

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1), AfterValidator(once)] = ("direction", "volatility")
    seed: Annotated[int, Field(ge=0)] = 7
    workers: Positive | None = None
    cpus_per_worker: Annotated[float, Field(gt=0)] = 1.0
    use_gpu: bool = False
    block_symbols: Positive = 32
    studies: tuple[str, ...] = ()
    retries: Annotated[int, Field(ge=0)] = 2


class TuneConfig(Frozen):
    """How a sweep searches for the settings of models; nothing here changes a model that is trained.

    Each trial fits ``symbols`` sampled symbols at once, on ``folds`` expanding folds before the test period, whose last
    parts together are ``scored_fraction`` of the dates before it; one fold more, later than those, judges the winner.
    With ``early_stopping``, trials whose validation loss lags behind are ended (successive halving by ``reduction``).
    ``sampler`` ``nsga2`` searches for a low loss and a low cost at once, without early stopping. ``space`` narrows
    what a kind's models vary, or adds a setting, by its path: ``direction.fit.learning_rate: {low: 1e-4, high: 1e-3}``,
    ``direction.network.window: {values: [5, 10]}``, and ``null`` leaves one out.
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
    """How models are served; nothing here changes a forecast, and versions do not keep it.

    Each of ``replicas`` (Ray Serve adds more up to ``max_replicas`` under load) holds the models and newest windows of
    at most ``shard_symbols`` symbols: where there are more, each shard of them has replicas of its own, and routers of
    ``cpus_per_router`` before them. A replica looks every ``poll_s`` seconds for another champion or newer bars.
    ``history_bars`` are read of each symbol: recursive features and GARCH variances forget what lies before. Data older
    than ``max_age_days`` gives an error instead of a forecast; ``None`` tells the age and leaves the judgement to the
    client. Serve answers 429 to requests beyond ``max_ongoing`` at work and ``max_queued`` waiting, and a replica 503
    where more than ``max_queued`` forecasts of sent bars wait; ``requests_per_minute`` holds in each replica for each
    API key, or for everybody without keys.
    ``fast_ingress`` puts HAProxy before the replicas. Symbols that no model was fitted on, in the lake or with bars of
    their own, are forecast by what all fitted symbols share (``unseen: pooled``), or get an error (``refuse``).
    """

    replicas: Positive = 1
    max_replicas: Positive | None = None
    cpus_per_replica: Annotated[float, Field(gt=0)] = 1.0
    cpus_per_router: Annotated[float, Field(gt=0)] = 0.1
    shard_symbols: Positive = 5_000
    poll_s: Annotated[float, Field(gt=0)] = 2.0
    history_bars: Annotated[int, Field(ge=250)] = 2500
    max_age_days: Annotated[float, Field(gt=0)] | None = None
    max_body_mib: Annotated[float, Field(gt=0)] = 8.0
    max_ongoing: Positive = 256
    max_queued: Positive = 512
    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    requests_per_minute: Positive | None = None
    fast_ingress: bool = True
    unseen: Literal["pooled", "refuse"] = "pooled"


class CloudConfig(Frozen):
    """Machines that ``ray up`` rents; nothing here has a default, because no default is right for somebody else.

    ``image`` is what they boot: Ubuntu with Python 3.11 to 3.13, and NVIDIA's driver if there are GPUs (AWS: ``ami-…``;
    Google: ``projects/…/images/…``). AWS needs ``region`` and a ``security_group`` that admits its own members to every
    port and you to port 22: the one that Ray makes admits everybody. Google needs ``project``, ``zone`` and a
    ``subnetwork`` whose firewall does the same.
    """

    image: str | None = None
    region: str | None = None
    security_group: str | None = None
    project: str | None = None
    zone: str | None = None
    subnetwork: str | None = None


class DeployConfig(Frozen):
    """Where ``fleetcast manifests`` places the work; nothing here changes a fitted number or a forecast.

    ``nodes`` of ``node_cpus`` processors train, with ``node_gpus`` GPUs each if ``run.use_gpu``; ``run.workers``, if
    set, decides on their number. Every node has ``gib_per_cpu`` of memory. ``schedule`` (cron) in ``time_zone`` is when
    models are trained again; one attempt may take ``deadline_hours`` and is followed by ``retries`` more. Serving is
    sized for ``served_symbols``; by default they fit in one shard. ``redis`` (``host:port``) keeps the cluster's state
    while its head is away; ``null`` does without. ``service_account``, or ``store_secret`` with the variables of the
    object store, is how nodes may use the store.
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

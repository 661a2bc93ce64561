"""How runs, sweeps and servers execute, and on which machines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from configs.space import GivenParameter
from configs.values import (
    Fraction,
    Frozen,
    Kind,
    Machines,
    Positive,
    Processors,
    Retries,
    Seconds,
    age_limit,
    host_name,
    unique,
)


class RunConfig(Frozen):
    """How a run executes; nothing here changes a fitted number except ``seed`` and ``refit``."""

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1), AfterValidator(unique)] = ("direction", "volatility")
    """The kinds of models to train."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7
    """Seed of every random number."""
    workers: Machines | None = None
    """Workers, which must fit the cluster when a run starts, and their maximum; null uses all free processors, and
    more as the cluster grows."""
    cpus_per_worker: Processors = 1.0
    """Processors of a worker."""
    use_gpu: bool = False
    """Give each worker a GPU."""
    block_symbols: Annotated[int, Field(gt=0, le=100_000)] = 32
    """Symbols that are fitted together in one job."""
    studies: tuple[str, ...] = ()
    """The studies whose settings are used, as ``study/trial``."""
    retries: Retries = 2
    """How many more times a job that fails is tried."""
    refit: bool = True
    """Fit each model again after its test, on all bars up to the end of the test period, with the choices that the
    test judged, and publish that fit. Without, the published model has seen nothing after validation."""


class TuneConfig(Frozen):
    """How a sweep searches for the settings of models; nothing here changes a fitted number.

    Each trial fits one fleet of sampled symbols on expanding folds before the test period.
    """

    trials: Annotated[int, Field(gt=0, le=1_000_000)] = 40
    """Total number of trials of a study."""
    symbols: Positive = 32
    """Symbols that are sampled."""
    folds: Annotated[int, Field(gt=0, le=100)] = 2
    """Expanding folds that each trial is scored on."""
    scored_fraction: Fraction = 0.4
    """Share of the dates before the test period that is scored: the test parts of the folds, and of a later
    one that scores the finalists."""
    sampler: Literal["tpe", "random", "nsga2"] = "tpe"
    """``nsga2`` searches for a low loss and a low cost, without early stopping."""
    early_stopping: bool = True
    """End trials with a high validation loss early (successive halving)."""
    reduction: Annotated[int, Field(ge=2, le=1000)] = 3
    """Factor by which successive halving reduces the trials."""
    finalists: Annotated[int, Field(gt=0, le=1000)] = 4
    """The best trials, which a later fold scores."""
    space: dict[str, GivenParameter | None] = Field(default_factory=dict)
    """Changes of the search space by the path of a setting: ``direction.fit.learning_rate: {low: 1e-4, high: 1e-3}`` or
    ``direction.network.window: {values: [5, 10]}`` narrows or adds a setting, ``null`` removes it."""


class ServeConfig(Frozen):
    """How models are served; nothing here changes a forecast, and versions do not store it.

    Each replica loads the models and newest windows of its symbols. More symbols than one shard has are divided into
    shards, each with its own replicas, behind routers.
    """

    replicas: Machines = 1
    """Replicas of each shard."""
    max_replicas: Machines | None = None
    """Replicas that Ray Serve may add up to under load; null adds none."""
    cpus_per_replica: Processors = 1.0
    """Processors of a replica."""
    cpus_per_router: Processors = 0.1
    """Processors of a router."""
    shard_symbols: Positive = 5_000
    """Most symbols of a shard."""
    poll_s: Seconds = 2.0
    """Seconds between a replica's checks for a new champion or newer bars."""
    history_bars: Annotated[int, Field(ge=250, le=1_000_000)] = 2500
    """Bars of each symbol that are read: recursive features and GARCH variances depend little on older ones."""
    max_age_days: Annotated[float | Literal["calendar"], BeforeValidator(age_limit)] = "calendar"
    """Forecasts from stale bars have a note. With ``calendar`` bars are stale when more than three are missing of the
    sessions, days or hours on which the symbol trades. A number is a limit instead: older bars give an error in place
    of a forecast."""
    max_body_mib: Annotated[float, Field(gt=0, le=2048)] = 8.0
    """Largest request, in MiB."""
    max_ongoing: Annotated[int, Field(gt=0, le=1_000_000)] = 256
    """Requests that a replica processes at the same time. Receiving a body does not count."""
    max_ongoing_per_key: Annotated[int, Field(gt=0, le=1_000_000)] = 128
    """Requests of one API key that a replica receives, queues and processes at the same time; more get 429."""
    max_queued: Annotated[int, Field(gt=0, le=1_000_000)] = 512
    """A replica answers 429 when this many requests wait, and 503 when this many forecasts of bars in requests wait."""
    timeout_s: Seconds = 30.0
    """Seconds after which a request is answered with an error."""
    header_timeout_s: Seconds = 10.0
    """Seconds in which a client must send the headers of a request; then the connection is closed."""
    body_timeout_s: Seconds = 10.0
    """Seconds in which a client must send the body of a request; then it gets 408."""
    max_connections: Annotated[int, Field(ge=2, le=1_000_000)] = 16_384
    """Connections that a node accepts at the same time, as far as its limit of open files allows. One address may have
    half of them."""
    hosts: tuple[Annotated[str, AfterValidator(host_name)], ...] = ()
    """Names in the ``Host`` header that are answered besides the address that is bound; ``*`` is any name. Without API
    keys other names get 421: a page of another site could resolve its own name to this server (DNS rebinding)."""
    requests_per_minute: Positive | None = None
    """Most requests of each API key in each replica, or of all clients together if there are no keys; null
    sets no limit."""
    fast_ingress: bool = True
    """Put HAProxy in front of the replicas."""
    unseen: Literal["pooled", "refuse"] = "pooled"
    """Symbols without a fitted model, in the lake or in the request, are forecast by what all fitted symbols share
    (``pooled``), or get an error (``refuse``)."""


class CloudConfig(Frozen):
    """Machines that ``ray up`` rents; every value is specific to an account, so there are no defaults."""

    image: str | None = None
    """Their disk image: Ubuntu with Python 3.11 to 3.13, and NVIDIA's driver if there are GPUs (AWS: ``ami-…``; Google:
    ``projects/…/images/…``)."""
    region: str | None = None
    """AWS: the region."""
    security_group: str | None = None
    """AWS: a security group that admits its members to every port and you to port 22. The group that Ray creates
    admits every address."""
    project: str | None = None
    """Google: the project."""
    zone: str | None = None
    """Google: the zone."""
    subnetwork: str | None = None
    """Google: a subnetwork whose firewall admits its members to every port and you to port 22."""


class DeployConfig(Frozen):
    """The clusters that ``fleetcast manifests`` describes; nothing here changes a fitted number or a forecast."""

    name: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$")] = "fleetcast"
    """Beginning of the names of all objects."""
    nodes: Machines = 2
    """Nodes that train; ``run.workers`` decides instead if it is set."""
    node_cpus: Machines = 8
    """Processors of a node."""
    node_gpus: Machines = 1
    """GPUs of a node, if ``run.use_gpu``."""
    head_cpus: Machines = 2
    """Processors of the head."""
    gib_per_cpu: Annotated[float, Field(ge=0.1, le=1000)] = 4.0
    """Memory of every node, GiB per processor."""
    schedule: str = "0 6 * * 6"
    """When models are trained again (cron)."""
    time_zone: str = "Etc/UTC"
    """Time zone of the schedule."""
    deadline_hours: Annotated[float, Field(ge=0.01, le=10_000)] = 6.0
    """Hours that an attempt may take."""
    retries: Retries = 2
    """Attempts that follow one that fails."""
    served_symbols: Positive | None = None
    """Symbols that serving is sized for; by default they fit in one shard."""
    redis: str | None = "redis:6379"
    """``host:port`` that stores the cluster's state while its head restarts; null omits it."""
    service_account: str | None = None
    """The account by which nodes get access to the store."""
    store_secret: str | None = None
    """The secret with the environment variables of the object store, by which nodes get access to it."""
    cloud: CloudConfig = CloudConfig()

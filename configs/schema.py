"""The schema of a run. Every value is validated, frozen, and stored with the version it made.

Units: horizons, windows and purges count bars; dates are session dates; fractions lie in (0, 1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from configs.space import Parameter, Setting, why_shared

Strategy = Literal["per_symbol", "pooled", "finetuned"]
Kind = Literal["direction", "volatility"]
Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
Names = TypeVar("Names", bound=tuple[str, ...])


def _once(names: Names) -> Names:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"each name may occur once, but {', '.join(repeated)} is repeated")
    return names


class Frozen(BaseModel):
    """A value that cannot change after validation and rejects keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class ContextConfig(Frozen):
    """Market series (VIX, yields, oil …) in long form: ``date, series, value``.

    ``kinds`` maps each series to use to how it becomes scale-free: a ``level`` (already a rate of
    volatility, such as VIX: its logarithm and changes), a ``price`` (returns and distance to its mean
    only) or a ``rate`` (differences in points). ``lag_days`` guards against release-date leakage: a
    value dated *d* is used from the first bar dated *d + lag* on; series it does not name use 1 day.
    """

    path: str | None = None
    kinds: dict[str, Literal["level", "price", "rate"]] = {}
    lag_days: dict[str, Annotated[int, Field(ge=0)]] = {}


class DataConfig(Frozen):
    """Which bars a run reads. ``bars`` is a path, ``"embedded"`` or ``"lake"`` (the store's own)."""

    bars: str = "embedded"
    symbols: Annotated[tuple[str, ...], AfterValidator(_once)] = ()
    start: date | None = None
    end: date | None = None
    min_bars: Positive = 500
    max_quarantined: Rate = 0.05
    context: ContextConfig = ContextConfig()


class FeatureConfig(Frozen):
    """Which features are built, and how they are scaled.

    ``technical_indicators`` names catalog entries or whole groups; empty means all that the data
    allows. ``lookback_periods`` (bars) parametrise every rolling feature. ``max_features`` keeps the
    best on *train* only; ``None`` keeps all. ``scaling_method`` is fitted on train only and clips at
    ``clip`` scaled units. ``universe`` names the symbols that cross-asset features are relative to;
    empty means all. ``universe_lag`` (sessions) guards against look-ahead between time zones: with 0 a
    bar sees the universe up to its own date, whose later closes (New York's, for a bar of Tokyo) it
    could not know unless all symbols trade at the same hours; with 1 it sees the days before its own.
    ``None`` decides from the dates: 0 where all symbols trade on one calendar, else 1.
    """

    lookback_periods: tuple[Annotated[int, Field(ge=2, le=1000)], ...] = (5, 20, 60)
    technical_indicators: tuple[str, ...] = ()
    scaling_method: Literal["standard", "robust", "none"] = "standard"
    max_features: Positive | None = None
    clip: Annotated[float, Field(gt=0)] = 5.0
    universe: tuple[str, ...] = ()
    universe_lag: Annotated[int, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _periods_increase(self) -> Self:
        if not self.lookback_periods or list(self.lookback_periods) != sorted(set(self.lookback_periods)):
            raise ValueError(
                "lookback_periods must be one or more increasing whole numbers of bars, such as [5, 20, 60]"
            )
        return self


class LabelConfig(Frozen):
    """When a forward return counts as *sideways*.

    ``volatility``: inside ``± k·σ_t·√horizon`` with σ_t the EWMA volatility known at t (``k = 0.43``
    makes three equal classes under normality). ``threshold``: inside ``± threshold``, a log return.
    """

    mode: Literal["volatility", "threshold"] = "volatility"
    k: Annotated[float, Field(ge=0)] = 0.43
    threshold: Annotated[float, Field(ge=0)] = 0.005
    ewma_lambda: Fraction = 0.94


class SplitConfig(Frozen):
    """Train, validation and test by time, the same dates for every symbol.

    One calendar for all symbols keeps a pooled model from seeing the market's future through another
    symbol. Dates that are not given are placed by fraction of the universe's dates. ``embargo`` bars
    are dropped on top of the horizon that every boundary purges.
    """

    train_end: date | None = None
    valid_end: date | None = None
    test_start: date | None = None
    test_end: date | None = None
    valid_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.2
    embargo: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        given = [d for d in (self.train_end, self.valid_end, self.test_start, self.test_end) if d is not None]
        if given != sorted(given):
            raise ValueError("train_end ≤ valid_end ≤ test_start ≤ test_end must hold")
        if self.valid_fraction + self.test_fraction >= 1.0:
            raise ValueError("valid_fraction + test_fraction must leave something to train on (sum below 1)")
        return self


class NetworkConfig(Frozen):
    """LSTM layers, then multi-head self-attention, over windows of ``window`` bars."""

    window: Positive = 20
    lstm_units: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32,)
    attention_heads: Annotated[int, Field(ge=0)] = 4
    dropout: Rate = 0.1

    @model_validator(mode="after")
    def _heads_divide_units(self) -> Self:
        if self.attention_heads and self.lstm_units[-1] % self.attention_heads:
            raise ValueError(f"the last of lstm_units {self.lstm_units} must be a multiple of attention_heads")
        return self


class FitConfig(Frozen):
    """How a fleet is fitted. Early stopping is per symbol: each keeps its own best epoch."""

    epochs: Positive = 10
    batch_size: Positive = 64
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    patience: Positive = 3
    pooled_epochs: Positive = 10
    pooled_batch_size: Positive = 512
    pooled_symbols: Positive = 128
    pooled_rows: Positive = 400_000
    finetune_learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    shrinkage: Annotated[float, Field(ge=0)] = 1e-2


class DirectionConfig(Frozen):
    """The price-direction fleet: classes down, sideways, up over ``horizon`` bars.

    ``calibration`` scales logits towards the class prior, for all symbols alike; with ``vector`` each
    symbol's own rows may then move its scale and biases, with ``temperature`` its scale. Where symbols
    share nothing (``per_symbol``) both are the same.
    """

    horizon: Positive = 1
    strategy: Strategy = "pooled"
    label: LabelConfig = LabelConfig()
    network: NetworkConfig = NetworkConfig(window=10, lstm_units=(16,))
    fit: FitConfig = FitConfig(learning_rate=5e-4, patience=2, pooled_epochs=8)
    calibration: Literal["temperature", "vector", "none"] = "vector"
    calibration_shrinkage: Annotated[float, Field(ge=0)] = 500.0
    conformal_level: Fraction = 0.9


class ForestConfig(Frozen):
    """The random-forest member; ``max_rows`` caps the rows a forest is fitted on."""

    trees: Positive = 50
    max_depth: Positive = 12
    min_samples_leaf: Positive = 20
    max_rows: Positive = 50_000


class VolatilityConfig(Frozen):
    """The volatility ensemble: members blended by non-negative weights that minimise QLIKE on validation."""

    horizon: Positive = 5
    strategy: Strategy = "pooled"
    members: Annotated[
        tuple[Literal["log_har", "garch", "lstm", "forest"], ...], Field(min_length=1), AfterValidator(_once)
    ] = ("log_har", "garch", "lstm", "forest")
    network: NetworkConfig = NetworkConfig()
    fit: FitConfig = FitConfig()
    forest: ForestConfig = ForestConfig()
    blend_shrinkage: Annotated[float, Field(ge=0)] = 500.0
    interval_level: Fraction = 0.9


_CREW = {"workers", "retries"}


class RunConfig(Frozen):
    """Where and how a run executes; nothing here changes a fitted number except ``seed``.

    ``workers`` must fit the cluster when a run begins, and there are never more; ``None`` takes what is free, and more
    as the cluster grows. ``studies`` tells where settings were found, as ``study/trial``.
    """

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1), AfterValidator(_once)] = ("direction", "volatility")
    seed: Annotated[int, Field(ge=0)] = 7
    workers: Positive | None = None
    cpus_per_worker: Annotated[float, Field(gt=0)] = 1.0
    use_gpu: bool = False
    block_symbols: Positive = 32
    studies: tuple[str, ...] = ()
    retries: Annotated[int, Field(ge=0)] = 2


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
    ``fast_ingress`` puts HAProxy before the replicas.
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
    space: dict[str, Parameter | None] = {}


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


class OwnSettings(Frozen):
    """Settings that a kind's models of some symbols have in place of the others', as a sweep finds them.

    ``values`` are by path, such as ``direction.network.window``; what is forecast stays the same for all. ``found``
    tells where they come from, as ``study/trial``. Training costs one pooled fit more for each of these. Sweeps, and
    predictors that are fitted by hand, have one setting for all.
    """

    kind: Kind
    symbols: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_once)]
    values: Annotated[dict[str, Setting], Field(min_length=1)]
    found: str = ""


class Config(Frozen):
    """Everything that defines a run."""

    data: DataConfig = DataConfig()
    features: FeatureConfig = FeatureConfig()
    split: SplitConfig = SplitConfig()
    direction: DirectionConfig = DirectionConfig()
    volatility: VolatilityConfig = VolatilityConfig()
    run: RunConfig = RunConfig()
    serve: ServeConfig = ServeConfig()
    tune: TuneConfig = TuneConfig()
    deploy: DeployConfig = DeployConfig()
    own: tuple[OwnSettings, ...] = ()

    @model_validator(mode="after")
    def _own_settings_fit(self) -> Self:
        _once(tuple(f"{symbol} ({one.kind})" for one in self.own for symbol in one.symbols))
        for one in self.own:
            for path in one.values:
                if reason := why_shared(one.kind, path):
                    raise ValueError(f"own: {reason}")
            try:
                self.with_values(one.values)
            except ValidationError as error:
                told = (
                    f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
                )
                raise ValueError(
                    f"own: settings of {one.symbols[0]} do not fit those for all: {'; '.join(told)}"
                ) from error
        return self

    def section(self, kind: str) -> DirectionConfig | VolatilityConfig:
        """Return the settings of a kind of models."""
        return self.direction if kind == "direction" else self.volatility

    def shared(self) -> Config:
        """Return this without settings of symbols' own."""
        return self.model_copy(update={"own": ()}) if self.own else self

    def with_values(self, values: Mapping[str, Any]) -> Config:
        """Return this with other values of settings, by path, for all symbols alike."""
        return type(self).model_validate(self.replaced(values)) if values else self.shared()

    def replaced(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what :meth:`with_values` does as a dictionary that is not validated."""
        found = self.shared().model_dump()
        for path, value in values.items():
            *sections, name = path.split(".")
            place = found
            for section in sections:
                if not isinstance(place.get(section), dict):
                    place[section] = {}
                place = place[section]
            place[name] = value
        return found

    def of_runs(self) -> dict[str, Any]:
        """Return as JSON what training reads: how models are served or searched for is not."""
        return self.model_dump(mode="json", exclude={"serve", "tune", "deploy", *([] if self.own else ["own"])})

    def of_models(self) -> dict[str, Any]:
        """Return as JSON what decides on models; by how many they are fitted does not."""
        found = self.of_runs()
        return found | {"run": {name: value for name, value in found["run"].items() if name not in _CREW}}

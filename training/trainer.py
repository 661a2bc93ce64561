"""The driver of a training run: plan, fit blocks on workers, publish a version of each kind, decide on promotion."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from configs.errors import DataError, ModelError
from configs.load import load_config
from configs.schema import Config, Kind
from features.context import MarketContext
from features.sources import open_source
from features.sources.base import Source
from features.store import Store
from training.blocks import read_block, read_index, verify_block
from training.daily import DirectionDaily, VolatilityDaily
from training.leaderboard import KindResult
from training.manifest import library_versions
from training.promotion import Policy, decide
from training.registry import ModelManager
from training.run.plan import RunPlan, make_plan, write_plan
from training.run.queue import JobQueue, Progress

CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a run made: per kind its scores, version and promotion; the plan; and seconds by stage."""

    results: tuple[KindResult, ...]
    plan: RunPlan
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a run tells how far it is: the plan (and how many jobs were done before), then progress."""

    planned: Callable[[RunPlan, int], None] = lambda plan, done: None
    progress: Callable[[Progress], None] = lambda progress: None


class ModelTrainer:
    """Trains every symbol's models, on Ray where ``cluster.session`` has connected, else in this process.

    Parameters
    ----------
    config
        What to train; the ``demo`` preset by default.
    store
        A path or URI; blocks, versions and the lake live there.

    Examples
    --------
    >>> trainer = ModelTrainer(load_config("smoke"), store="/tmp/fleetcast-example")
    >>> result = trainer.train_multi_asset_models(["AAPL", "IBM"], ["direction"])  # doctest: +SKIP
    >>> result.results[0].summary["log_loss"]  # doctest: +SKIP
    1.09
    """

    def __init__(self, config: Config | None = None, store: Store | str = ".fleetcast") -> None:
        self.config = config or load_config("demo")
        self.store = store if isinstance(store, Store) else Store(store)
        self.models = ModelManager(self.store)

    def train_multi_asset_models(
        self,
        symbols: Sequence[str] = (),
        model_types: Sequence[Kind] = ("direction", "volatility"),
        *,
        promote: Policy = "auto",
        listener: Listener | None = None,
    ) -> TrainingResult:
        """Train these symbols (all of the source if none is named) and publish one version of each kind.

        Finished blocks are kept: after a crash, the same call goes on where it was and ends with byte-equal models.

        Raises
        ------
        DataError
            No symbol can be trained.
        ClusterError
            The cluster cannot run the workers.
        StoreError
            The store cannot be written.
        """
        listener = listener or Listener()
        clock = [time.perf_counter()]
        seconds: dict[str, float] = {}

        def lap(stage: str) -> None:
            clock.append(time.perf_counter())
            seconds[stage] = round(clock[-1] - clock[-2], 3)

        config = self._configured(symbols, model_types)
        source = open_source(config.data.bars, self.store)
        plan = make_plan(source, config, self.store, load_context(source, config, self.store))
        write_plan(self.store, plan)
        done = {job.output for job in plan.jobs if _finished(self.store, job.output)}
        listener.planned(plan, len(done))
        lap("prepare")
        queue = self._run(plan, JobQueue(plan.jobs, config.run.retries, done), listener)
        lap("train")
        results = [self._publish(plan, kind, queue, promote) for kind in config.run.kinds]
        lap("publish")
        return TrainingResult(tuple(results), plan, seconds)

    def _configured(self, symbols: Sequence[str], kinds: Sequence[Kind]) -> Config:
        data = self.config.data.model_copy(update={"symbols": tuple(symbols) or self.config.data.symbols})
        run = self.config.run.model_copy(update={"kinds": tuple(dict.fromkeys(kinds))})
        return Config.model_validate(self.config.model_copy(update={"data": data, "run": run}).model_dump())

    def _run(self, plan: RunPlan, queue: JobQueue, listener: Listener) -> JobQueue:
        if all(job.output in queue.done for job in plan.jobs):
            listener.progress(queue.progress())
            return queue
        import ray

        if ray.is_initialized():
            from training.run.distributed import run_on_ray

            return run_on_ray(self.store, plan.name, queue, plan.config.run, listener.progress)
        from training.run.local import run_here

        return run_here(self.store.uri, plan.name, queue, listener.progress)

    def _publish(self, plan: RunPlan, kind: str, queue: JobQueue, promote: Policy) -> KindResult:
        """Publish a kind's blocks as a version; without any fitted symbol there is no version, only reasons."""
        skipped, failed, per_symbol, fitted, daily = dict(plan.skipped), {}, {}, [], []
        sums = DirectionDaily if kind == "direction" else VolatilityDaily
        for job in plan.blocks(kind):
            if job.output in queue.failed:
                failed |= dict.fromkeys(job.symbols, queue.failed[job.output])
                continue
            metrics = read_index(self.store, job.output).metrics
            skipped |= metrics["skipped"]
            failed |= metrics["failed"]
            per_symbol |= metrics["per_symbol"]
            if metrics["per_symbol"]:
                fitted.append(job.output)
                arrays = read_block(self.store, job.output, test=False).arrays
                part = {key.removeprefix("daily/"): v for key, v in arrays.items() if key.startswith("daily/")}
                if part:
                    daily.append(sums.from_arrays(part))
        horizon = plan.config.direction.horizon if kind == "direction" else plan.config.volatility.horizon
        summary = sums.merge(*daily).summary(horizon) if daily else {}
        problems = {"skipped": sorted(skipped.items()), "failed": sorted(failed.items())}
        if not fitted:
            return KindResult(kind, summary, {}, **problems, decision="no symbol was trained, so there is no version")
        before = self.models.aliases(kind).champion
        version = self.models.publish(
            kind,
            fitted,
            {
                "config": plan.config.model_dump(mode="json"),
                "data_hash": plan.data_hash,
                "libraries": library_versions(),
                "metrics": summary,
                "notes": {"skipped": skipped, "failed": failed, "quarantined": list(plan.warnings)},
            },
        )
        champion = self.models.test_losses(kind, before) if before else None
        decision = decide(self.models.test_losses(kind, version.version), champion, promote, overlap=horizon - 1)
        if decision.promote:
            self.models.promote(kind, version.version, decision.reason)
        verb = "promoted to champion" if decision.promote else "not promoted"
        return KindResult(
            kind, summary, per_symbol, **problems, version=version.version, decision=f"{verb}: {decision.reason}"
        )


def load_context(source: Source, config: Config, store: Store) -> MarketContext | None:
    """Return the market series that the configuration names: of a file, of the embedded data, or of the lake.

    Raises
    ------
    DataError
        The file cannot be read, or a configured series has no values.
    """
    import pandas as pd

    wanted = config.data.context
    if not wanted.kinds:
        return None
    if wanted.path is not None:
        try:
            frame = pd.read_parquet(wanted.path) if wanted.path.endswith(".parquet") else pd.read_csv(wanted.path)
        except (OSError, ValueError) as error:
            raise DataError(
                f"data.context.path {wanted.path!r} cannot be read ({error}). Give a CSV or Parquet file with the "
                "columns date, series and value."
            ) from error
    elif source.name == "embedded":
        from features.sources.embedded import embedded_context

        frame = embedded_context()
    else:
        from features.lake import Lake

        held = Lake(store).read_context()
        if held is None:
            raise DataError(
                f"data.context.kinds names {', '.join(wanted.kinds)}, but the lake holds no context series. "
                "Give data.context.path, or drop data.context.kinds."
            )
        frame = held
    return MarketContext.from_frame(frame, wanted)


def _finished(store: Store, output: str) -> bool:
    """Whether a job's block is in the store, whole and undamaged."""
    try:
        verify_block(store, output)
    except ModelError:
        return False
    return True

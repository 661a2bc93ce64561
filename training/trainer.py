"""The driver of a training run: plan it, fit blocks on workers, publish a version of each kind, decide on promotion."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from configs.errors import ConfigError, shortened, shown
from configs.load import config_or, validated
from configs.schema import Config
from configs.values import Kind
from features.context_source import load_context
from features.sources import open_source
from features.store.store import Store, open_store
from training.registry.manager import ModelManager
from training.registry.runs import STAGED, mark_in_use
from training.run.execute import do_jobs, finished_outputs
from training.run.kind_result import KindResult
from training.run.publication import publish_kind
from training.run.queue import Progress
from training.run.run_plan import RunPlan, make_plan, write_plan
from training.validation.promotion import Policy


@dataclass(frozen=True, slots=True, repr=False)
class TrainingResult:
    """The result of a run: scores, version and promotion of each kind; the plan; and seconds by stage."""

    results: tuple[KindResult, ...]
    plan: RunPlan
    seconds: dict[str, float]

    def __repr__(self) -> str:
        """Return a line per kind."""
        return "\n".join(
            f"{one.kind} {one.version}: {len(one.per_symbol)} symbols, {one.decision}" for one in self.results
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A planned run; ``done`` are the outputs that exist already and are complete and undamaged."""

    plan: RunPlan
    done: frozenset[str]
    seconds: float

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to fit."""
        return all(job.output in self.done for job in self.plan.jobs)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Progress callbacks of a run: ``planned`` gets the plan and the number of jobs already done, then ``progress``."""

    planned: Callable[[RunPlan, int], None] = lambda plan, done: None
    progress: Callable[[Progress], None] = lambda progress: None


class ModelTrainer:
    """Trains every symbol's models, on Ray if ``cluster.session`` has connected to it, else in this process.

    Parameters
    ----------
    config
        What to train; the ``demo`` preset by default.
    store
        A path or URI of the folder with blocks, versions and the lake; by default ``FLEETCAST_STORE`` or
        ``.fleetcast``.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from configs import load_config
    >>> trainer = ModelTrainer(load_config("smoke"), store=mkdtemp())
    >>> result = trainer.train_multi_asset_models(["AAPL", "IBM"], ["direction"])
    >>> sorted(result.results[0].per_symbol)
    ['AAPL', 'IBM']
    >>> trainer.models.load_model("price_direction_aapl").symbols
    ('AAPL',)
    """

    def __init__(self, config: Config | None = None, store: Store | str | os.PathLike[str] | None = None) -> None:
        self.config = config_or(config, "ModelTrainer", "demo")
        self.store = open_store(store)
        self.models = ModelManager(self.store)

    def train_multi_asset_models(
        self,
        symbols: Sequence[str] | str = (),
        model_types: Sequence[Kind] | Kind = (),
        *,
        promote: Policy = "auto",
        callbacks: Callbacks | None = None,
    ) -> TrainingResult:
        """Train these symbols and publish one version of each kind; by default those of the configuration.

        Without names, ``symbols`` are ``config.data.symbols`` or all of the source, ``model_types`` are
        ``config.run.kinds``, which are both unless they are set.

        ``config.data.bars`` says where bars come from: ``yahoo`` fetches them, ``embedded`` has seven series. Symbols
        without a model are in ``plan.skipped`` of the result, with the reasons.

        Finished blocks are stored: after a crash, the same call does the other jobs and ends with byte-equal models.

        Raises
        ------
        DataError
            No symbol can be trained.
        ClusterError
            The cluster cannot run the workers.
        StoreError
            The store cannot be written.

        Warns
        -----
        UserWarning
            Some of the symbols are skipped.
        """
        callbacks = callbacks or Callbacks()
        prepared = self.prepare(symbols, model_types, callbacks=callbacks)
        _warn_of_skipped(prepared.plan)
        return self.run(prepared, promote=promote, callbacks=callbacks)

    def prepare(
        self,
        symbols: Sequence[str] | str = (),
        model_types: Sequence[Kind] | Kind = (),
        *,
        callbacks: Callbacks | None = None,
    ) -> Prepared:
        """Read and stage the bars, plan the run, and find finished jobs; needs no cluster."""
        start = time.perf_counter()
        config = self._configured(symbols, model_types)
        mark_in_use(self.store, STAGED)
        source = open_source(config.data.bars, self.store, config.data.reading)
        plan = make_plan(source, config, self.store, load_context(source, config, self.store))
        mark_in_use(self.store, plan.folders)
        write_plan(self.store, plan)
        done = finished_outputs(self.store, plan)
        (callbacks or Callbacks()).planned(plan, len(done))
        return Prepared(plan, done, time.perf_counter() - start)

    def run(
        self, prepared: Prepared, *, promote: Policy = "auto", callbacks: Callbacks | None = None
    ) -> TrainingResult:
        """Do the remaining jobs, publish a version of each kind, and decide on promotion."""
        plan, start = prepared.plan, time.perf_counter()
        queue = do_jobs(self.store, plan, prepared.done, (callbacks or Callbacks()).progress)
        trained = time.perf_counter()
        mark_in_use(self.store, plan.folders)
        results = tuple(publish_kind(self.models, plan, kind, queue, promote) for kind in plan.config.run.kinds)
        seconds = {"prepare": prepared.seconds, "train": trained - start, "publish": time.perf_counter() - trained}
        return TrainingResult(results, plan, {stage: round(value, 3) for stage, value in seconds.items()})

    def _configured(self, symbols: Sequence[str] | str, kinds: Sequence[Kind] | Kind) -> Config:
        named = _as_names(symbols, "symbols", "AAPL") or self.config.data.symbols
        wanted = tuple(dict.fromkeys(_as_names(kinds, "model_types", "direction"))) or self.config.run.kinds
        data = self.config.data.model_copy(update={"symbols": named})
        run = self.config.run.model_copy(update={"kinds": wanted})
        return validated(self.config.model_copy(update={"data": data, "run": run}).model_dump(), "this run")


def _as_names(names: Sequence[str] | str, argument: str, example: str) -> tuple[str, ...]:
    """Return one name or several as a tuple."""
    if isinstance(names, str):
        return (names,)
    found = tuple(names) if isinstance(names, Iterable) else ()
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in found):
        raise ConfigError(f"{argument} has value {shown(names)}; expected a list of names, such as [{example!r}].")
    return found


def _warn_of_skipped(plan: RunPlan) -> None:
    """Warn of symbols that were named and have no model, with each reason once."""
    named, reasons = plan.config.data.symbols, dict[str, list[str]]()
    for symbol, reason in plan.skipped.items():
        if symbol in named:
            reasons.setdefault(reason, []).append(symbol)
    if reasons:
        found = "; ".join(f"{shortened(symbols)}: {reason}" for reason, symbols in reasons.items())
        how = ", as in load_config(overrides=['data.bars=yahoo'])" if plan.config.data.bars == "embedded" else ""
        warnings.warn(
            f"{sum(map(len, reasons.values()))} of {len(named)} symbols are skipped ({found}{how})", stacklevel=3
        )

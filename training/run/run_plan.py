"""The plan of a run: symbols, splits and jobs. The driver makes it once and stores it as JSON for the workers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from pydantic import Field, ValidationError

from configs.errors import StoreError
from configs.load import config_hash
from configs.schema import Config
from configs.values import Frozen
from features.context import MarketContext
from features.sources.base import Source
from features.splits import Split, resolve_split
from features.store.store import Store
from features.universe import UniverseTable
from training.registry.runs import STAGED
from training.run.block_jobs import jobs_of
from training.run.gathered import Gathered, gather
from training.run.job import POOLED, Job
from training.run.market_file import read_market
from training.validation.folds import Fold

logger = logging.getLogger(__name__)

_PLAN = "runs/plans/{name}.json"
SplitText = tuple[str, str, str, str, str, int, int]
FoldText = tuple[str, SplitText]


class RunPlan(Frozen):
    """The content of a run, by reference.

    ``market`` names the file with the universe table and market context; ``folders`` are all folders of the store that
    the run reads or writes, including those of finished blocks. ``jobs``, ``clean`` (the symbols that make up the
    universe), ``skipped``, ``warnings`` and ``read_as`` stay with the driver, so the file that workers read does not
    grow with the number of symbols.
    """

    name: str
    config: Config
    data_hash: str
    market: str
    feature_names: tuple[str, ...]
    splits: dict[str, SplitText] = Field(default_factory=dict)
    folds: dict[str, tuple[FoldText, ...]] = Field(default_factory=dict)
    folders: tuple[str, ...]
    jobs: tuple[Job, ...] = ()
    clean: frozenset[str] = frozenset()
    skipped: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    read_as: tuple[str, ...] = ()
    bars: int

    def split(self, kind: str) -> Split:
        """Return the split of a kind."""
        return _split(self.splits[kind])

    def fold(self, kind: str, number: int) -> Fold:
        """Return a fold of a walk-forward run."""
        train_start, split = self.folds[kind][number]
        return Fold(number, np.datetime64(train_start, "ns"), _split(split))

    def periods(self, kind: str) -> dict[str, tuple[str, str]]:
        """Return the first and last day of ``train``, ``valid`` and ``test``; train starts with each symbol's data."""
        train_end, valid_start, valid_end, test_start, test_end = (day[:10] for day in self.splits[kind][:5])
        return {"train": ("", train_end), "valid": (valid_start, valid_end), "test": (test_start, test_end)}

    @property
    def universe(self) -> frozenset[str]:
        """The symbols of the universe table."""
        return self.clean.intersection(self.config.features.universe or self.clean)

    def blocks(self, kind: str) -> list[Job]:
        """Return the jobs that fit blocks of a kind."""
        return [job for job in self.jobs if job.kind == kind and job.is_block]


def make_plan(source: Source, config: Config, store: Store, context: MarketContext | None) -> RunPlan:
    """Read and stage the bars, choose the symbols to train, and return the plan of the run.

    Raises
    ------
    DataError
        No symbol can be trained, or the split leaves a part empty.
    """
    found = gather(source, config, store, context)
    splits: dict[str, SplitText] = {
        kind: split_text(resolve_split(found.dates, config.split, config.section(kind).horizon))
        for kind in config.run.kinds
    }
    data_hash = config_hash(found.fingerprints(), found.market)
    every = (
        job
        for kind in splits
        for job in jobs_of(config, kind, found.inputs, found.clean, [data_hash, splits[kind]], bars=found.bars)
    )
    jobs = sorted({job.output: job for job in every}.values(), key=_order)
    logger.info(
        "%d jobs for %d symbols (%d skipped) in %d blocks (run.block_symbols=%d)",
        len(jobs),
        len(found.trained),
        len(found.skipped),
        len(found.inputs),
        config.run.block_symbols,
    )
    return plan_of(found, config, jobs, data_hash, splits=splits)


def _order(job: Job) -> tuple[object, ...]:
    """Return the key of a job's place: what others wait for comes first, and blocks last, the long ones first."""
    if job.part is not None:
        return (0, job.name.startswith(POOLED))
    return (2, False, job.name, job.kind) if job.is_block else (1, job.name == POOLED, "", job.kind)


def plan_of(
    found: Gathered,
    config: Config,
    jobs: Sequence[Job],
    data_hash: str,
    *,
    splits: dict[str, SplitText] | None = None,
    folds: dict[str, tuple[FoldText, ...]] | None = None,
) -> RunPlan:
    """Return the plan of these jobs."""
    return RunPlan(
        name=config_hash([job.output for job in jobs]),
        config=config,
        data_hash=data_hash,
        market=found.market,
        feature_names=found.feature_names,
        splits=splits or {},
        folds=folds or {},
        folders=(*STAGED, *sorted({job.output.rpartition("/")[0] for job in jobs})),
        jobs=tuple(jobs),
        clean=found.clean,
        skipped=found.skipped,
        warnings=found.warnings,
        read_as=found.read_as,
        bars=found.bars,
    )


def write_plan(store: Store, plan: RunPlan) -> None:
    """Write a plan to the store, for workers."""
    content = plan.model_dump(mode="json", exclude={"jobs", "clean", "skipped", "warnings", "read_as"})
    store.write_json(_PLAN.format(name=plan.name), content)


@lru_cache(maxsize=2)
def read_plan(uri: str, name: str) -> tuple[Store, RunPlan, UniverseTable, MarketContext | None]:
    """Return the store, plan and market tables of a run; cached, because a worker does many jobs of one run.

    Raises
    ------
    StoreError
        The plan or the market file is missing or damaged.
    """
    store, path = Store(uri), _PLAN.format(name=name)
    try:
        plan = RunPlan.model_validate(store.read_json(path))
        if plan.name != name:
            raise ValueError(f"it is that of run {plan.name}")
        return store, plan, *read_market(store, plan.market)
    except FileNotFoundError as error:
        raise StoreError(
            f"the plan of run {name} is no longer in {store.uri!r} ({error}). Run the same command again."
        ) from error
    except ValueError as error:
        reason = "it has other fields" if isinstance(error, ValidationError) else error
        raise StoreError(
            f"{store.path(path)!r} is not the plan of run {name} ({reason}). Run the same command again."
        ) from error


def fold_text(fold: Fold) -> FoldText:
    """Return a fold as JSON."""
    return str(fold.train_start), split_text(fold.split)


def _split(text: SplitText) -> Split:
    *days, purge, embargo = text
    train_end, valid_start, valid_end, test_start, test_end = (np.datetime64(str(day), "ns") for day in days)
    return Split(train_end, valid_start, valid_end, test_start, test_end, int(purge), int(embargo))


def split_text(split: Split) -> SplitText:
    """Return a split as JSON."""
    days = (split.train_end, split.valid_start, split.valid_end, split.test_start, split.test_end)
    a, b, c, d, e = (str(day) for day in days)
    return a, b, c, d, e, split.purge, split.embargo

"""The plan of a run: symbols, splits and jobs. The driver makes it once and stores it as JSON for the workers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from configs.errors import DataError, StoreError
from configs.load import config_hash
from configs.schema import Config
from configs.values import Frozen
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.engineer import feature_names
from features.sources.base import Source, read_lines
from features.sources.mended import MendedSource
from features.splits import Split, resolve_split
from features.store.store import Store
from features.universe import UniverseTable
from features.universe_build import build_universe
from training.registry.runs import STAGED
from training.run.block_jobs import jobs_of
from training.run.job import POOLED, Job
from training.run.market_file import read_market, write_market
from training.run.staging import StagedBlock, read_staged, stage_bars
from training.run.survey import Survey
from training.tasks import task_of

logger = logging.getLogger(__name__)

_PLAN = "runs/plans/{name}.json"
SplitText = tuple[str, str, str, str, str, int, int]


class RunPlan(Frozen):
    """The content of a run, by reference.

    ``market`` names the file with the universe table and market context; ``folders`` are all folders of the store that
    the run reads or writes, including those of finished blocks. ``jobs``, ``universe`` (the symbols of the universe
    table), ``skipped``, ``warnings`` and ``read_as`` stay with the driver, so the file that workers read does not grow
    with the number of symbols.
    """

    name: str
    config: Config
    data_hash: str
    market: str
    feature_names: tuple[str, ...]
    splits: dict[str, SplitText]
    folders: tuple[str, ...]
    jobs: tuple[Job, ...] = ()
    universe: frozenset[str] = frozenset()
    skipped: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    read_as: tuple[str, ...] = ()
    bars: int

    def split(self, kind: str) -> Split:
        """Return the split of a kind."""
        *days, purge, embargo = self.splits[kind]
        train_end, valid_start, valid_end, test_start, test_end = (np.datetime64(str(day), "ns") for day in days)
        return Split(train_end, valid_start, valid_end, test_start, test_end, int(purge), int(embargo))

    def periods(self, kind: str) -> dict[str, tuple[str, str]]:
        """Return the first and last day of ``train``, ``valid`` and ``test``; train starts with each symbol's data."""
        train_end, valid_start, valid_end, test_start, test_end = (day[:10] for day in self.splits[kind][:5])
        return {"train": ("", train_end), "valid": (valid_start, valid_end), "test": (test_start, test_end)}

    def blocks(self, kind: str) -> list[Job]:
        """Return the jobs that fit blocks of a kind."""
        return [job for job in self.jobs if job.kind == kind and job.is_block]


@dataclass
class _Calendar:
    """All dates of the symbols that make up the universe, and whether any symbol has a range or volume."""

    dates: npt.NDArray[np.datetime64] = field(default_factory=lambda: np.empty(0, "datetime64[ns]"))
    has_range: bool = False
    has_volume: bool = False

    def collect(self, bars: Iterable[SymbolBars], members: set[str]) -> Iterator[SymbolBars]:
        """Yield all bars, and add those of ``members`` to the calendar."""
        for symbol_bars in bars:
            if symbol_bars.symbol in members:
                if len(np.setdiff1d(symbol_bars.dates, self.dates, assume_unique=True)):
                    self.dates = np.union1d(self.dates, symbol_bars.dates)
                self.has_range |= symbol_bars.has_range
                self.has_volume |= symbol_bars.has_volume
            yield symbol_bars


def make_plan(source: Source, config: Config, store: Store, context: MarketContext | None) -> RunPlan:
    """Read the bars once, stage them, choose the symbols to train, and return the plan of the run.

    Shared inputs (dates, universe table, sample of the pooled fit) are computed from symbols without a quarantined row
    or a step, so that broken data of one symbol cannot change the models of others, unless more than half have some.
    Only the lag of universe features depends on every trained symbol, because each of them reads the universe table.

    Raises
    ------
    DataError
        No symbol can be trained, or the split leaves a part empty.
    """
    for kind in config.run.kinds:
        task_of(kind).check(config)
    source = MendedSource(source, config.data.on_steps)
    survey = Survey()
    staged = list(stage_bars(store, survey.usable_bars(source, config.data), config.run.block_symbols))
    warnings = survey.finish(source, config.data)
    trained = {symbol for symbol in survey.lengths if symbol not in survey.skipped}
    for symbol, reason in sorted(survey.skipped.items()):
        logger.info("%s is skipped: %s", symbol, reason)
    if not trained:
        reasons = "; ".join(f"{symbol}: {reason}" for symbol, reason in sorted(survey.skipped.items())[:3])
        raise DataError(
            f"no symbol can be trained ({reasons or 'the source holds none'}). Give other bars or --symbols."
        )
    clean = trained - set(source.quarantine.lost()) - set(source.mended)
    if 2 * len(clean) < len(trained):
        clean = trained
    calendar = _Calendar()
    bars = calendar.collect(_staged_bars(store, staged, trained), clean)
    universe = build_universe(bars, config.features, members=clean)
    if config.features.universe_lag is None and universe.lag and not universe.is_empty:
        warnings.insert(0, _lag_warning(universe))
    market = write_market(store, universe, context)
    names = feature_names(
        config.features, universe, context, has_range=calendar.has_range, has_volume=calendar.has_volume
    )
    splits: dict[str, SplitText] = {
        kind: _split_text(resolve_split(calendar.dates, config.split, config.section(kind).horizon))
        for kind in config.run.kinds
    }
    prints = (pair for block in staged for pair in zip(block.symbols, block.fingerprints, strict=True))
    data_hash = config_hash(sorted(pair for pair in prints if pair[0] in trained), market)
    inputs = [(b.name, chosen) for b in staged if (chosen := tuple(s for s in b.symbols if s in trained))]
    # Long blocks come first, so that no worker starts one when the other workers are about to end.
    inputs.sort(key=lambda block: -sum(survey.lengths[symbol] for symbol in block[1]))
    every = (job for kind in splits for job in jobs_of(config, kind, inputs, clean, [data_hash, splits[kind]]))
    jobs = sorted(
        {job.output: job for job in every}.values(),
        key=lambda job: (job.is_block, job.name == POOLED, job.name, job.kind),
    )
    logger.info(
        "%d jobs for %d symbols (%d skipped) in %d blocks (run.block_symbols=%d)",
        len(jobs),
        len(trained),
        len(survey.skipped),
        len(inputs),
        config.run.block_symbols,
    )
    return RunPlan(
        name=config_hash([job.output for job in jobs]),
        config=config,
        data_hash=data_hash,
        market=market,
        feature_names=names,
        splits=splits,
        folders=(*STAGED, *sorted({job.output.rpartition("/")[0] for job in jobs})),
        jobs=tuple(jobs),
        universe=frozenset(clean).intersection(config.features.universe or clean),
        skipped=dict(sorted(survey.skipped.items())),
        warnings=tuple(warnings),
        read_as=tuple(read_lines(source.read_as)),
        bars=sum(survey.lengths[symbol] for symbol in trained),
    )


def write_plan(store: Store, plan: RunPlan) -> None:
    """Write a plan to the store, for workers."""
    content = plan.model_dump(mode="json", exclude={"jobs", "universe", "skipped", "warnings", "read_as"})
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


def _lag_warning(universe: UniverseTable) -> str:
    what = "different calendars" if len(universe.calendars) > 1 else "a calendar"
    return (
        f"symbols trade on {what} ({', '.join(universe.calendars)}), so universe features are lagged by "
        "one session, so that they do not use closes of later time zones (features.universe_lag=0 overrides)"
    )


def _staged_bars(store: Store, staged: list[StagedBlock], members: set[str]) -> Iterator[SymbolBars]:
    for block in staged:
        chosen = [symbol for symbol in block.symbols if symbol in members]
        if chosen:
            yield from read_staged(store, block.name, chosen)


def _split_text(split: Split) -> SplitText:
    days = (split.train_end, split.valid_start, split.valid_end, split.test_start, split.test_end)
    a, b, c, d, e = (str(day) for day in days)
    return a, b, c, d, e, split.purge, split.embargo

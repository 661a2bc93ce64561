"""The plan of a run: who is trained, on what, and the jobs that workers pull. Made once by the driver, kept as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pydantic import Field

from configs.errors import DataError, StoreError
from configs.load import config_hash
from configs.schema import Config
from configs.values import Frozen
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.engineer import feature_names
from features.sources.base import Source
from features.splits import Split, resolve_split
from features.store.store import Store
from features.universe import UniverseTable
from features.universe_build import build_universe
from training.registry.runs import STAGED
from training.run.block_jobs import jobs_of
from training.run.job import POOLED, Job
from training.run.market_file import read_market, write_market
from training.run.staging import StagedBlock, read_staged, stage_bars
from training.tasks import task_of

_PLAN = "runs/plans/{name}.json"
SplitText = tuple[str, str, str, str, str, int, int]


class RunPlan(Frozen):
    """What a run is, by reference.

    ``market`` names the file of the universe table and market context; ``folders`` are all of the store that the run
    reads or writes, those of its finished blocks included. The driver alone knows ``jobs``, ``skipped`` and
    ``warnings``: what workers read does not grow with the symbols.
    """

    name: str
    config: Config
    data_hash: str
    market: str
    feature_names: tuple[str, ...]
    splits: dict[str, SplitText]
    folders: tuple[str, ...]
    jobs: tuple[Job, ...] = ()
    skipped: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    bars: int

    def split(self, kind: str) -> Split:
        """Return the split of a kind."""
        *days, purge, embargo = self.splits[kind]
        train_end, valid_start, valid_end, test_start, test_end = (np.datetime64(str(day), "ns") for day in days)
        return Split(train_end, valid_start, valid_end, test_start, test_end, int(purge), int(embargo))

    def periods(self, kind: str) -> dict[str, tuple[str, str]]:
        """Return the first and last day of ``train``, ``valid`` and ``test``; train begins with each symbol's data."""
        train_end, valid_start, valid_end, test_start, test_end = (day[:10] for day in self.splits[kind][:5])
        return {"train": ("", train_end), "valid": (valid_start, valid_end), "test": (test_start, test_end)}

    def blocks(self, kind: str) -> list[Job]:
        """Return the jobs that fit blocks of a kind."""
        return [job for job in self.jobs if job.kind == kind and job.name != POOLED]


@dataclass
class _Seen:
    """What one pass over the source learns: how long each symbol is, and why some are not worth staging."""

    lengths: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass
class _Calendar:
    """What the symbols that make up the universe have together: their dates, and whether any has a range or volume."""

    dates: npt.NDArray[np.datetime64] = field(default_factory=lambda: np.empty(0, "datetime64[ns]"))
    has_range: bool = False
    has_volume: bool = False

    def noting(self, bars: Iterable[SymbolBars], members: set[str]) -> Iterator[SymbolBars]:
        """Pass all bars on, taking those of members into account."""
        for one in bars:
            if one.symbol in members:
                self._note(one)
            yield one

    def _note(self, one: SymbolBars) -> None:
        if len(np.setdiff1d(one.dates, self.dates, assume_unique=True)):
            self.dates = np.union1d(self.dates, one.dates)
        self.has_range |= one.has_range
        self.has_volume |= one.has_volume


def make_plan(source: Source, config: Config, store: Store, context: MarketContext | None) -> RunPlan:
    """Read the bars once, stage them, decide who is trained, and return the plan of the run.

    What symbols share (dates, the universe's table, the sample of the pooled fit) is made of those without a
    quarantined row, so that a symbol with broken data cannot change what the others learn; unless more than half of
    all have one. Only whether all share one trading day depends on every trained symbol, for each looks the table up.

    Raises
    ------
    DataError
        No symbol can be trained, or the split leaves a part empty.
    """
    for kind in config.run.kinds:
        task_of(kind).check(config)
    seen = _Seen()
    staged = list(stage_bars(store, _worth_staging(source, config, seen), config.run.block_symbols))
    seen.skipped |= source.missing
    notes = _judge(source, config, seen)
    trained = {symbol for symbol in seen.lengths if symbol not in seen.skipped}
    if not trained:
        reasons = "; ".join(f"{symbol}: {reason}" for symbol, reason in sorted(seen.skipped.items())[:3])
        raise DataError(
            f"no symbol can be trained ({reasons or 'the source holds none'}). Give other bars or --symbols."
        )
    clean = trained - set(source.quarantine.lost())
    if 2 * len(clean) < len(trained):
        clean = trained
    calendar = _Calendar()
    bars = calendar.noting(_staged_bars(store, staged, trained), clean)
    universe = build_universe(bars, config.features, members=clean)
    if config.features.universe_lag is None and universe.lag and not universe.is_empty:
        notes.insert(0, _lag_note(universe))
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
    # The longest blocks first, so that no worker starts a long one when the others are about to end.
    inputs.sort(key=lambda block: -sum(seen.lengths[symbol] for symbol in block[1]))
    every = (job for kind in splits for job in jobs_of(config, kind, inputs, clean, [data_hash, splits[kind]]))
    jobs = sorted({job.output: job for job in every}.values(), key=lambda job: (job.name != POOLED, job.name, job.kind))
    return RunPlan(
        name=config_hash([job.output for job in jobs]),
        config=config,
        data_hash=data_hash,
        market=market,
        feature_names=names,
        splits=splits,
        folders=(*STAGED, *sorted({job.output.rpartition("/")[0] for job in jobs})),
        jobs=tuple(jobs),
        skipped=dict(sorted(seen.skipped.items())),
        warnings=tuple(notes),
        bars=sum(seen.lengths[symbol] for symbol in trained),
    )


def write_plan(store: Store, plan: RunPlan) -> None:
    """Write a plan where workers find it."""
    text = plan.model_dump_json(exclude={"jobs", "skipped", "warnings"})
    store.write(_PLAN.format(name=plan.name), text.encode())


@lru_cache(maxsize=2)
def read_plan(uri: str, name: str) -> tuple[Store, RunPlan, UniverseTable, MarketContext | None]:
    """Return the store, the plan and the market tables of a run; kept, because a worker does many jobs of one run.

    Raises
    ------
    StoreError
        The plan or the market's file is gone.
    """
    store = Store(uri)
    try:
        plan = RunPlan.model_validate_json(store.read(_PLAN.format(name=name)))
        return store, plan, *read_market(store, plan.market)
    except FileNotFoundError as error:
        raise StoreError(
            f"the plan of run {name} is no longer in {store.uri!r} ({error}). Run the same command again."
        ) from error


def _worth_staging(source: Source, config: Config, seen: _Seen) -> Iterator[SymbolBars]:
    """Pass on the symbols worth staging, noting their lengths and the reasons of the others."""
    data = config.data
    for bars in source.load(sorted(data.symbols), data.start, data.end):
        if len(bars) < data.min_bars:
            seen.skipped[bars.symbol] = f"{len(bars)} bars; at least {data.min_bars} are needed (data.min_bars)"
        elif np.ptp(bars.close) <= 1e-9 * bars.close[0]:
            seen.skipped[bars.symbol] = "the price is constant"
        else:
            seen.lengths[bars.symbol] = len(bars)
            yield bars


def _judge(source: Source, config: Config, seen: _Seen) -> list[str]:
    """Skip symbols of which too much was quarantined, and return notes on the others that lost a row."""
    notes = []
    parts = dict(iter(source.quarantine.frame.groupby("symbol", sort=False, observed=True)))
    for symbol, count in sorted(source.quarantine.lost().items()):
        if symbol in seen.skipped or symbol not in seen.lengths:
            continue
        rows = seen.lengths[symbol] + count
        if count > config.data.max_quarantined * rows:
            most = f"at most {config.data.max_quarantined:.0%} may (data.max_quarantined)"
            seen.skipped[symbol] = f"{count} of {rows} rows break a rule; {most}"
        else:
            rules = Quarantine(parts[symbol]).summary()
            notes.append(f"{symbol}: {count} of {rows} rows were quarantined ({rules})")
    return notes


def _lag_note(universe: UniverseTable) -> str:
    what = "different calendars" if len(universe.calendars) > 1 else "a calendar"
    return (
        f"symbols trade on {what} ({', '.join(universe.calendars)}), so universe features are lagged by "
        "one session lest they know closes of later time zones (features.universe_lag=0 overrides)"
    )


def _staged_bars(store: Store, staged: list[StagedBlock], members: set[str]) -> Iterator[SymbolBars]:
    for block in staged:
        chosen = [symbol for symbol in block.symbols if symbol in members]
        if chosen:
            yield from read_staged(store, block.name, chosen)


def _split_text(split: Split) -> SplitText:
    days = (split.train_end, split.valid_start, split.valid_end, split.test_start, split.test_end)
    first, second, third, fourth, fifth = (str(day) for day in days)
    return first, second, third, fourth, fifth, split.purge, split.embargo

"""The plan of a run: who is trained, on what, and the jobs that workers pull. Made once by the driver, kept as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from configs.errors import DataError
from configs.load import config_hash
from configs.schema import Config, Frozen
from features.bars import SymbolBars
from features.context import MarketContext
from features.engineer import feature_names
from features.sources.base import Source
from features.splits import Split, resolve_split
from features.store import Store
from features.universe import UniverseTable
from features.universe_build import build_universe
from training.manifest import library_versions
from training.run.staging import StagedBlock, read_staged, stage_bars

POOLED = "pooled"
_PLAN = "runs/plans/{name}.json"
_FITTING_LIBRARIES = ("numpy", "tensorflow", "arch", "scikit-learn", "TA-Lib")


class Job(Frozen):
    """One thing a worker does: fit what symbols share (``pooled``) or fit one block.

    ``inputs`` lists staged files with the symbols to take of each; ``output`` is the prefix of the block it writes.
    """

    kind: str
    name: str
    output: str
    inputs: tuple[tuple[str, tuple[str, ...]], ...]
    needs: str | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of this job, in the order of its inputs."""
        return tuple(symbol for _, symbols in self.inputs for symbol in symbols)


class RunPlan(Frozen):
    """Everything a worker needs, by reference: ``market`` names the file of the universe table and market context."""

    name: str
    config: Config
    data_hash: str
    market: str
    feature_names: tuple[str, ...]
    splits: dict[str, tuple[str, str, str, str, str, int, int]]
    jobs: tuple[Job, ...]
    skipped: dict[str, str]
    warnings: tuple[str, ...] = ()
    bars: int

    def split(self, kind: str) -> Split:
        """Return the split of a kind."""
        *dates, purge, embargo = self.splits[kind]
        return Split(*(np.datetime64(day, "ns") for day in dates), purge=purge, embargo=embargo)  # type: ignore[arg-type]

    def blocks(self, kind: str) -> list[Job]:
        """Return the jobs that fit blocks of a kind."""
        return [job for job in self.jobs if job.kind == kind and job.name != POOLED]


@dataclass
class _Universe:
    """What one pass over the bars learns."""

    staged: list[StagedBlock] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    dates: npt.NDArray[np.datetime64] = field(default_factory=lambda: np.empty(0, "datetime64[ns]"))
    has_range: bool = False
    has_volume: bool = False


def make_plan(source: Source, config: Config, store: Store, context: MarketContext | None) -> RunPlan:
    """Read the bars once, stage them, decide who is trained, and return the plan of the run.

    The universe's table is made of symbols without a quarantined row, so that a symbol with broken data cannot change
    what the others learn.

    Raises
    ------
    DataError
        No symbol can be trained, or the split leaves a part empty.
    """
    seen = _Universe()
    seen.staged = list(stage_bars(store, _inspected(source, config, seen), config.run.block_symbols))
    seen.skipped |= source.missing
    lost = source.quarantine.lost()
    notes = []
    for symbol, count in sorted(lost.items()):
        bars = seen.lengths.get(symbol, 0)
        if symbol in seen.skipped or symbol not in seen.lengths:
            continue
        if count > config.data.max_quarantined * (bars + count):
            seen.skipped[symbol] = (
                f"{count} of {bars + count} rows break a rule; at most {config.data.max_quarantined:.0%} may "
                "(data.max_quarantined)"
            )
        else:
            rules = ", ".join(f"{rule} {n}" for rule, n in source.quarantine.of(symbol).counts().items())
            notes.append(f"{symbol}: {count} of {bars + count} rows were quarantined ({rules})")
    trained = sorted(symbol for symbol in seen.lengths if symbol not in seen.skipped)
    if not trained:
        reasons = "; ".join(f"{symbol}: {reason}" for symbol, reason in sorted(seen.skipped.items())[:3])
        raise DataError(
            f"no symbol can be trained ({reasons or 'the source holds none'}). Give other bars or --symbols."
        )
    members = set(trained) - set(lost)
    universe = build_universe(_staged_bars(store, seen.staged, members), config.features)
    names = feature_names(config.features, universe, context, has_range=seen.has_range, has_volume=seen.has_volume)
    market = _write_market(store, universe, context)
    data_hash = config_hash(
        sorted((s, p) for b in seen.staged for s, p in zip(b.symbols, b.fingerprints, strict=True) if s in trained),
        market,
    )
    splits = {kind: resolve_split(seen.dates, config.split, _horizon(config, kind)) for kind in config.run.kinds}
    jobs = [job for kind in config.run.kinds for job in _jobs(config, kind, seen, set(trained), data_hash)]
    jobs.sort(key=lambda job: (job.name != POOLED, job.name, job.kind))
    return RunPlan(
        name=config_hash([job.output for job in jobs]),
        config=config,
        data_hash=data_hash,
        market=market,
        feature_names=names,
        splits={kind: _split_text(split) for kind, split in splits.items()},
        jobs=tuple(jobs),
        skipped=dict(sorted(seen.skipped.items())),
        warnings=tuple(notes),
        bars=sum(seen.lengths[symbol] for symbol in trained),
    )


def write_plan(store: Store, plan: RunPlan) -> None:
    """Write a plan where workers find it."""
    store.write(_PLAN.format(name=plan.name), plan.model_dump_json().encode())


@lru_cache(maxsize=2)
def read_plan(uri: str, name: str) -> tuple[Store, RunPlan, UniverseTable, MarketContext | None]:
    """Return the store, the plan and the market tables of a run; kept, because a worker does many jobs of one run."""
    store = Store(uri)
    plan = RunPlan.model_validate_json(store.read(_PLAN.format(name=name)))
    return store, plan, *read_market(store, plan.market)


def read_market(store: Store, name: str) -> tuple[UniverseTable, MarketContext | None]:
    """Return the universe table and the market context that :func:`make_plan` wrote."""
    arrays = load(store.read(name))
    parts: dict[str, dict[str, npt.NDArray[Any]]] = {"universe": {}, "context": {}}
    for key, value in arrays.items():
        section, _, rest = key.partition("|")
        parts[section][rest] = value
    context = MarketContext.from_arrays(parts["context"]) if parts["context"] else None
    return UniverseTable.from_arrays(parts["universe"]), context


def _inspected(source: Source, config: Config, seen: _Universe) -> Iterator[SymbolBars]:
    """Pass on the symbols worth staging, noting lengths, dates and the reasons of those that are not."""
    data = config.data
    for bars in source.load(data.symbols, data.start, data.end):
        if len(bars) < data.min_bars:
            seen.skipped[bars.symbol] = f"{len(bars)} bars; at least {data.min_bars} are needed (data.min_bars)"
        elif np.ptp(bars.close) <= 1e-9 * bars.close[0]:
            seen.skipped[bars.symbol] = "the price is constant"
        else:
            seen.lengths[bars.symbol] = len(bars)
            seen.dates = np.union1d(seen.dates, bars.dates) if len(np.setdiff1d(bars.dates, seen.dates)) else seen.dates
            seen.has_range |= bars.has_range
            seen.has_volume |= bars.has_volume
            yield bars


def _staged_bars(store: Store, staged: list[StagedBlock], members: set[str]) -> Iterator[SymbolBars]:
    for block in staged:
        chosen = [symbol for symbol in block.symbols if symbol in members]
        if chosen:
            yield from read_staged(store, block.name, chosen)


def _jobs(config: Config, kind: str, seen: _Universe, trained: set[str], data_hash: str) -> Iterator[Job]:
    """Yield a kind's jobs; the output's name holds the hash of all that decides the fitted numbers."""
    section = config.direction if kind == "direction" else config.volatility
    run = config.run
    identity = config_hash(
        [config.features, section, config.direction.label, config.split, run.seed, run.use_gpu, run.cpus_per_worker],
        [run.block_symbols, data_hash, library_versions(_FITTING_LIBRARIES)],
    )
    folder = f"runs/{kind}-{identity}"
    inputs = []
    for block in seen.staged:
        chosen = tuple(symbol for symbol in block.symbols if symbol in trained)
        if chosen:
            inputs.append((block.name, chosen))
    needs = None
    if kind == "volatility" or section.strategy != "per_symbol":
        sample = frozenset(_sample(trained, section.fit.pooled_symbols, run.seed))
        picked = [(name, tuple(symbol for symbol in symbols if symbol in sample)) for name, symbols in inputs]
        needs = f"{folder}/{POOLED}"
        yield Job(kind=kind, name=POOLED, output=needs, inputs=tuple(p for p in picked if p[1]))
    for number, one in enumerate(inputs):
        name = f"block-{number:05d}"
        yield Job(kind=kind, name=name, output=f"{folder}/{name}", inputs=(one,), needs=needs)


def _sample(symbols: set[str], count: int, seed: int) -> list[str]:
    """Return ``count`` symbols chosen by a hash, so that one more symbol in the universe changes the sample little."""
    return sorted(symbols, key=lambda symbol: hashlib.sha256(f"{seed} {symbol}".encode()).digest())[:count]


def _horizon(config: Config, kind: str) -> int:
    return config.direction.horizon if kind == "direction" else config.volatility.horizon


def _split_text(split: Split) -> tuple[str, str, str, str, str, int, int]:
    days = (split.train_end, split.valid_start, split.valid_end, split.test_start, split.test_end)
    return (*(str(day) for day in days), split.purge, split.embargo)  # type: ignore[return-value]


def _write_market(store: Store, universe: UniverseTable, context: MarketContext | None) -> str:
    arrays = {f"universe|{key}": np.ascontiguousarray(value) for key, value in universe.to_arrays().items()}
    if context is not None:
        arrays |= {f"context|{key}": np.ascontiguousarray(value) for key, value in context.to_arrays().items()}
    data = save(arrays)
    name = f"runs/market/{hashlib.sha256(data).hexdigest()[:12]}.safetensors"
    if not store.exists(name):
        store.write(name, data)
    return name

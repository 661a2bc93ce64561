"""The plan of a walk-forward run: for each fold and kind of model the jobs that training has.

A fit's name contains a hash of the bars up to the end of its validation part, that of its test a hash of the bars up
to the last outcome. So the same command again fits nothing, later bars fit new folds only, and a changed bar fits again
the folds that saw it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from configs.load import config_hash
from configs.schema import Config
from configs.values import Kind
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.sources.base import Source
from features.store.store import Store
from training.run.block_jobs import jobs_of
from training.run.gathered import Gathered, gather
from training.run.job import Job
from training.run.run_plan import RunPlan, fold_text, plan_of
from training.run.staging import read_staged
from training.validation.folds import Fold, folds_of, known_to, stop_of

logger = logging.getLogger(__name__)

_FIELDS = ("open", "high", "low", "close", "volume")


def make_fold_plan(source: Source, config: Config, store: Store, context: MarketContext | None) -> tuple[RunPlan, int]:
    """Read and stage the bars, and return the plan of all folds and the number of last dates that no fold tests.

    ``config.run.refit`` must be false: what a fold tests is not fitted again.

    Raises
    ------
    DataError
        No symbol can be trained, or there are too few dates for one fold.
    """
    found = gather(source, config, store, context, by_length=False)
    folds: dict[str, list[Fold]] = {}
    left_over = 0
    for kind in config.run.kinds:
        horizon = config.section(kind).horizon
        folds[kind], left_over = folds_of(found.dates, config.walk_forward, config.split, horizon)
    jobs = list[Job]()
    for kind in config.run.kinds:
        for fold, (fitted, tested) in zip(folds[kind], _seen_by(found, store, config, kind, folds[kind]), strict=True):
            jobs += jobs_of(config, kind, found.inputs, found.clean, [fitted], fold.number, tested)
    jobs.sort(key=lambda job: (job.fold, job.is_block, job.kind, job.name))
    logger.info("%d jobs for %d symbols in %d folds", len(jobs), len(found.trained), max(map(len, folds.values())))
    texts = {kind: tuple(map(fold_text, some)) for kind, some in folds.items()}
    return plan_of(found, config, jobs, config_hash(found.fingerprints(), found.market), folds=texts), left_over


def _seen_by(
    found: Gathered, store: Store, config: Config, kind: Kind, folds: Sequence[Fold]
) -> Iterator[tuple[object, object]]:
    """Yield for each fold what determines its fit, and its test: hashes of the bars and market series they see."""
    horizon = config.section(kind).horizon
    digests: list[tuple[dict[str, str], dict[str, str]]] = [({}, {}) for _ in folds]
    for block in found.staged:
        for bars in read_staged(store, block.name, [s for s in block.symbols if s in found.trained]):
            stops = [(known_to(bars.dates, fold), stop_of(bars.dates, fold, horizon)) for fold in folds]
            prefixes = _prefix_digests(bars, sorted({stop for pair in stops for stop in pair}))
            for pair, both in zip(digests, stops, strict=True):
                for known, stop in zip(pair, both, strict=True):
                    known[bars.symbol] = prefixes[stop]
    shared = [sorted(found.clean), found.universe.lag, found.feature_names]
    for fold, (fitted, tested) in zip(folds, digests, strict=True):
        split, days = fold.split, [str(fold.train_start)]
        days += [str(day) for day in (split.train_end, split.valid_start, split.valid_end)]
        yield (
            [shared, days, split.purge, split.embargo, sorted(fitted.items()), _digest(found.context, split.valid_end)],
            [fold_text(fold), sorted(tested.items()), _digest(found.context, split.test_end)],
        )


def _prefix_digests(bars: SymbolBars, stops: Sequence[int]) -> dict[int, str]:
    """Return the hash of the first bars up to each of these ascending stops."""
    digest, out = hashlib.sha256(f"{bars.symbol}\0{bars.has_range:d}{bars.has_volume:d}".encode()), dict[int, str]()
    for start, stop in pairwise([0, *stops]):
        digest.update(np.ascontiguousarray(bars.dates[start:stop].astype("datetime64[ns]").astype("<i8")).data)
        for name in _FIELDS:
            digest.update(np.ascontiguousarray(getattr(bars, name)[start:stop] + 0.0, dtype="<f8").data)
        out[stop] = digest.copy().hexdigest()
    return out


def _digest(context: MarketContext | None, until: np.datetime64) -> str:
    """Return the hash of what was known of market series at a date."""
    if context is None:
        return ""
    digest = hashlib.sha256("\0".join(context.columns).encode())
    for known_from, features in context.tables:
        stop = int(np.searchsorted(known_from, until, side="right"))
        digest.update(np.ascontiguousarray(known_from[:stop]).data)
        digest.update(np.ascontiguousarray(features[:stop]).data)
    return digest.hexdigest()

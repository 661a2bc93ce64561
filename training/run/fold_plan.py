"""The plan of a walk-forward run: for each fold and kind of model the jobs that training has.

A fit's name contains a hash of the bars up to the end of its validation part, that of its test a hash of the bars up
to the last outcome. So the same command again fits nothing, later bars fit new folds only, and a changed bar fits again
the folds that saw it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
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
from training.run.run_plan import FoldText, RunPlan, fold_text, plan_of
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
    folds: dict[Kind, list[Fold]] = {}
    left_over = 0
    for kind in config.run.kinds:
        horizon = config.section(kind).horizon
        folds[kind], left_over = folds_of(found.dates, config.walk_forward, config.split, horizon)
    jobs = list[Job]()
    for kind, seen in _seen_by(found, store, config, folds).items():
        for fold, (fitted, tested) in zip(folds[kind], seen, strict=True):
            jobs += jobs_of(config, kind, found.inputs, found.clean, [fitted], fold.number, tested)
    jobs.sort(key=lambda job: (job.fold, job.is_block, job.kind, job.name))
    logger.info("%d jobs for %d symbols in %d folds", len(jobs), len(found.trained), max(map(len, folds.values())))
    texts: dict[str, tuple[FoldText, ...]] = {kind: tuple(map(fold_text, some)) for kind, some in folds.items()}
    return plan_of(found, config, jobs, config_hash(found.fingerprints(), found.market), folds=texts), left_over


def _seen_by(
    found: Gathered, store: Store, config: Config, folds: Mapping[Kind, Sequence[Fold]]
) -> dict[Kind, list[tuple[object, object]]]:
    """Return by kind, for each fold, what determines its fit, and its test: hashes of the bars and series they see."""
    known: dict[Kind, list[tuple[dict[str, str], dict[str, str]]]]
    known = {kind: [({}, {}) for _ in some] for kind, some in folds.items()}
    for block in found.staged:
        for bars in read_staged(store, block.name, [s for s in block.symbols if s in found.trained]):
            stops = {
                kind: [
                    (known_to(bars.dates, one), stop_of(bars.dates, one, config.section(kind).horizon)) for one in some
                ]
                for kind, some in folds.items()
            }
            hashes = _prefix_digests(bars, {stop for some in stops.values() for pair in some for stop in pair})
            for kind, some in stops.items():
                for (fitted, tested), (fit_stop, test_stop) in zip(known[kind], some, strict=True):
                    fitted[bars.symbol], tested[bars.symbol] = hashes[fit_stop], hashes[test_stop]
    return {
        kind: [_identity(found, fold, *pair) for fold, pair in zip(some, known[kind], strict=True)]
        for kind, some in folds.items()
    }


def _identity(
    found: Gathered, fold: Fold, fitted: Mapping[str, str], tested: Mapping[str, str]
) -> tuple[object, object]:
    """Return what determines a fold's fit, and its test, given the hash of the bars that each sees of each symbol."""
    split, shared = fold.split, [sorted(found.clean), found.universe.lag, found.feature_names]
    days = [str(day) for day in (fold.train_start, split.train_end, split.valid_start, split.valid_end)]
    return (
        [shared, days, split.purge, split.embargo, sorted(fitted.items()), _known(found.context, split.valid_end)],
        [fold_text(fold), sorted(tested.items()), _known(found.context, split.test_end)],
    )


def _prefix_digests(bars: SymbolBars, stops: Collection[int]) -> dict[int, str]:
    """Return the hash of the first bars up to each of these stops, whatever the other stops are."""
    digest, out = hashlib.sha256(f"{bars.symbol}\0{bars.has_range:d}{bars.has_volume:d}".encode()), dict[int, str]()
    columns = [bars.dates.astype("datetime64[ns]").astype("<i8")]
    columns += [(getattr(bars, name) + 0.0).astype("<f8").view("<i8") for name in _FIELDS]
    rows = np.stack(columns, axis=1)
    for start, stop in pairwise([0, *sorted(stops)]):
        digest.update(rows[start:stop].data)
        out[stop] = digest.copy().hexdigest()
    return out


def _known(context: MarketContext | None, until: np.datetime64) -> str:
    """Return the hash of what was known of market series and alternative data by the end of a date."""
    return context.digest(until) if context is not None else ""

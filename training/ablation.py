"""The driver of an ablation: fit with and without each group of alternative data, and compare on the validation period.

The test period is not read. Bars end with the validation period, which stands in for the test of these fits; the fits
are chosen and calibrated on the bars before it. They are blocks of a run like all others: stored, resumed, shared.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from configs.errors import DataError
from configs.feature_groups import ALTERNATIVE_GROUPS, group_of_column
from configs.load import config_hash, config_or
from configs.schema import Config
from configs.values import Kind
from features.context import MarketContext
from features.context_source import load_context
from features.sources import open_source
from features.splits import Split, resolve_split
from features.store.store import Store, open_store
from training.before_test import before_test
from training.metrics.comparison import Comparison
from training.registry.block_files import read_index, read_test
from training.registry.runs import STAGED, mark_in_use
from training.run.block_jobs import jobs_of
from training.run.execute import do_jobs, finished_outputs
from training.run.gathered import gather
from training.run.job import Job
from training.run.run_plan import RunPlan, SplitText, plan_of, split_text, write_plan
from training.run.staging import read_staged
from training.trainer import Callbacks
from training.validation.group_effect import GroupEffect
from training.validation.paired_losses import TestLosses, pair

Groups = tuple[str, ...]
NONE: Groups = ()


@dataclass(frozen=True, slots=True)
class PreparedAblation:
    """The planned runs by the groups that they leave out, and their outputs that are stored already.

    ``split`` is that of the fits: its test part is the validation period of the configuration.
    """

    plans: Mapping[Groups, RunPlan]
    done: Mapping[Groups, frozenset[str]]
    split: Split
    context: MarketContext

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to fit."""
        return all(job.output in self.done[groups] for groups, plan in self.plans.items() for job in plan.jobs)


@dataclass(frozen=True, slots=True)
class AblationResult:
    """What each group adds, by kind; ``fits`` were done now, out of ``jobs``. ``failed`` outputs were given up."""

    effects: tuple[GroupEffect, ...]
    prepared: PreparedAblation
    jobs: int
    fits: int
    failed: dict[str, str]


class Ablation:
    """Fits models with and without each group of alternative data, on Ray if connected, else in this process.

    Parameters
    ----------
    config
        What to fit; its features must use alternative data. The ``demo`` preset by default.
    store
        A path or URI of the folder with the lake and with finished fits; by default ``FLEETCAST_STORE`` or
        ``.fleetcast``.
    """

    def __init__(self, config: Config | None = None, store: Store | str | os.PathLike[str] | None = None) -> None:
        self.config = config_or(config, "Ablation", "demo")
        self.store = open_store(store)

    def prepare(self) -> PreparedAblation:
        """Read and stage the bars, plan a run for each group, and find finished fits; needs no cluster.

        Raises
        ------
        DataError
            The features have no alternative data, no symbol can be trained, or there are too few dates.
        """
        mark_in_use(self.store, STAGED)
        source = open_source(self.config.data.bars, self.store, self.config.data.reading)
        context = load_context(source, self.config, self.store)
        if context is None or context.alternative is None:
            raise DataError(
                "the features use no alternative data, so there is nothing to leave out. Import some (fleetcast data "
                "import --kind macro FILE) and add --set features.use_alternative_data=true or features.use_sentiment."
            )
        kinds = self.config.run.kinds
        horizons = {kind: self.config.section(kind).horizon for kind in kinds}
        gathered = gather(source, self.config, self.store, context)
        config = before_test(self.config, resolve_split(gathered.dates, self.config.split, max(horizons.values())))
        found = gather(source, config, self.store, context)
        splits = {kind: resolve_split(found.dates, config.split, horizons[kind]) for kind in kinds}
        data_hash = config_hash(found.fingerprints(), found.market)
        texts: dict[str, SplitText] = {kind: split_text(split) for kind, split in splits.items()}
        plans, done = dict[Groups, RunPlan](), dict[Groups, frozenset[str]]()
        for groups in left_out(found.feature_names):
            kept = tuple(name for name in found.feature_names if group_of_column(name) not in groups)
            features = config.features.model_copy(update={"without": (*config.features.without, *groups)})
            variant = config.model_copy(update={"features": features})
            jobs = [
                job
                for kind in kinds
                for job in jobs_of(variant, kind, found.inputs, found.clean, [data_hash, texts[kind]])
            ]
            jobs.sort(key=lambda job: job.is_block)
            plan = plan_of(replace(found, feature_names=kept), variant, jobs, data_hash, splits=texts)
            mark_in_use(self.store, plan.folders)
            write_plan(self.store, plan)
            plans[groups], done[groups] = plan, finished_outputs(self.store, plan)
        return PreparedAblation(plans, done, next(iter(splits.values())), context)

    def run(self, prepared: PreparedAblation, callbacks: Callbacks | None = None) -> AblationResult:
        """Fit what is left, and compare the forecasts of the validation period.

        Finished fits are stored: after a crash, the same call does the others.

        Raises
        ------
        ClusterError
            The cluster cannot run the workers.
        StoreError, ModelError
            The store cannot be written, or a file of a fit is missing or damaged.
        """
        watching, with_all_groups = callbacks or Callbacks(), prepared.plans[NONE]
        jobs = [job.model_copy(update={"plan": plan.name}) for plan in prepared.plans.values() for job in plan.jobs]
        jobs.sort(key=lambda job: job.is_block)  # one queue, so that workers start once
        done = frozenset[str]().union(*prepared.done.values())
        watching.planned(with_all_groups, len(prepared.done[NONE]))
        queue = do_jobs(self.store, with_all_groups.model_copy(update={"jobs": tuple(jobs)}), done, watching.progress)
        effects = (
            effect
            for kind in self.config.run.kinds
            for effect in self._effects(prepared, kind, frozenset(queue.failed))
        )
        return AblationResult(tuple(effects), prepared, len(jobs), len(queue.done - done), dict(queue.failed))

    def _effects(self, prepared: PreparedAblation, kind: Kind, failed: frozenset[str]) -> list[GroupEffect]:
        plans, horizon = prepared.plans, self.config.section(kind).horizon
        jobs = {
            groups: [job for job in plan.blocks(kind) if job.output not in failed] for groups, plan in plans.items()
        }
        losses = {groups: self._losses(str(groups), some) for groups, some in jobs.items()}
        shares = self._known_shares(prepared, jobs[NONE], [groups for groups in plans if groups])
        effects = []
        for groups in shares:
            paired = pair(losses[NONE], losses[groups])
            rows = int(paired.counts.sum())
            without = paired.champion_total / rows if rows else np.nan
            difference = paired.difference(horizon - 1) if rows else Comparison(np.nan, np.nan)
            both = set(losses[NONE].symbols) & set(losses[groups].symbols)
            effects.append(
                GroupEffect(
                    kind,
                    groups,
                    with_groups=without + difference.value,
                    without_groups=without,
                    difference=difference,
                    symbols=len(both),
                    rows=rows,
                    days=len(paired.counts),
                    known=shares[groups][0],
                    known_in_training=shares[groups][1],
                )
            )
        return effects

    def _losses(self, version: str, jobs: Sequence[Job]) -> TestLosses:
        indices = [read_index(self.store, job.output) for job in jobs]
        symbols = {symbol: i for i, index in enumerate(indices) for symbol in index.metrics["per_symbol"]}

        def read(block: int, columns: Sequence[str]) -> pa.Table | None:
            return read_test(self.store, jobs[block].output, indices[block], columns)

        return TestLosses(version, symbols, read)

    def _known_shares(
        self, prepared: PreparedAblation, jobs: Sequence[Job], wanted: Sequence[Groups]
    ) -> dict[Groups, tuple[float, float]]:
        """Return the share of scored rows, and of bars up to the end of training, with a value of these groups."""
        split, known = prepared.split, prepared.context.alternative
        assert known is not None
        counts = {groups: np.zeros(2) for groups in wanted}
        rows = np.zeros(2)
        columns = {
            groups: [i for i, name in enumerate(known.columns) if group_of_column(name) in groups] for groups in wanted
        }
        for job in jobs:
            for name, symbols in job.inputs:
                for bars in read_staged(self.store, name, symbols):
                    scored = (bars.dates >= split.test_start) & (bars.dates <= split.test_end)
                    parts = scored, bars.dates <= split.train_end
                    rows += [part.sum() for part in parts]
                    has_value = np.isfinite(known.at(bars.symbol, bars.dates))
                    for groups in wanted:
                        has_any = has_value[:, columns[groups]].any(axis=1)
                        counts[groups] += [(has_any & part).sum() for part in parts]
        shares = {groups: found / np.maximum(rows, 1.0) for groups, found in counts.items()}
        return {groups: (float(scored), float(trained)) for groups, (scored, trained) in shares.items()}


def left_out(feature_names: Sequence[str]) -> list[Groups]:
    """Return what is left out of each run: nothing, each group of alternative data that there is, and all of them.

    Raises
    ------
    DataError
        There is no such group.
    """
    found = {group_of_column(name) for name in feature_names}
    groups = [group for group in ALTERNATIVE_GROUPS if group in found]
    if not groups:
        raise DataError(
            "no feature is of alternative data, so there is nothing to leave out. Widen features.technical_indicators "
            "and features.without."
        )
    every = [tuple(groups)] if len(groups) > 1 else []
    return [NONE, *((group,) for group in groups), *every]

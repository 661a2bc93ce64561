"""Which features the models of a walk-forward run use, window by window."""

from __future__ import annotations

import numpy as np

from configs.values import Kind
from features.engineer import build_panel
from features.store.store import Store
from training.predictors import predictor_from_block
from training.predictors.importance import permutation_importance
from training.registry.block_files import is_finished
from training.registry.blocks import read_block
from training.run.market_file import read_market
from training.run.plan_bars import bars_of_plan
from training.run.run_plan import RunPlan
from training.tasks import task_of
from training.validation.folds import fold_panel

_SYMBOLS = 8  # every feature is permuted in every window: a few symbols keep that to seconds a window
_WINDOWS = 12


def importances_by_window(store: Store, plan: RunPlan, kind: Kind) -> dict[int, dict[str, float]]:
    """Return each feature's permutation importance by window, from the stored fits.

    It is the rise of the validation loss when the feature is permuted
    (:func:`~training.predictors.importance.permutation_importance`), a mean over the run's first 8 symbols. Of more
    than 12 windows, 12 are measured, evenly spaced, the first and the last among them. A window whose fits are no
    longer stored is left out.

    Raises
    ------
    StoreError, ModelError
        Staged bars or a fit are missing or damaged.
    """
    config, task, bars = plan.config, task_of(kind), bars_of_plan(store, plan, _SYMBOLS)
    universe, context = read_market(store, plan.market)
    label = config.direction.label
    panel = build_panel(bars, config.features, universe, context, label, columns=plan.feature_names)
    windows = len(plan.folds[kind])
    out = dict[int, dict[str, float]]()
    for number in np.unique(np.linspace(0, windows - 1, min(windows, _WINDOWS)).round().astype(int)).tolist():
        fold, first = plan.fold(kind, number), task.first_row(panel, config)
        part, split = fold_panel(panel, fold, config.section(kind).horizon, first)
        examples = task.examples(part, split, config)
        total, count = np.zeros(len(plan.feature_names)), 0
        for job in plan.blocks(kind):
            known = [name for name in part.symbols if name in job.symbols]
            if job.fold != number or not known or job.fit is None or not is_finished(store, job.fit):
                continue
            block = read_block(store, job.fit, test=False)
            chosen = [name for name in known if name in block.symbols]
            chosen = [name for name in chosen if len(examples.select((name,)).part("valid")[0])]
            if chosen:
                predictor = predictor_from_block(block)
                found = permutation_importance(predictor, examples.select(tuple(chosen)), config.run.seed)
                total += len(chosen) * np.array([found[name][0] for name in plan.feature_names])
                count += len(chosen)
        if count:
            out[number] = dict(zip(plan.feature_names, (total / count).tolist(), strict=True))
    return out

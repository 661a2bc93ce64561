"""What `bench_skill` compares a run with: gradient boosting on the same panel, symbols left out, and rank correlations.

The peers are ten lines of scikit-learn each: 31 leaves of at least 200 rows, half of the features a split, L2 10,
learning rate 0.05, at most 200,000 train rows drawn at random, iterations (up to 300) chosen on the validation rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from features.engineer import build_panel
from features.labels import forward_return
from features.store.store import Store
from training.data.examples import Examples
from training.metrics.classification import log_loss_rows
from training.metrics.clustered import day_jackknife, long_run_se
from training.metrics.ratio import ratio
from training.metrics.volatility import qlike_rows
from training.models.volatility.har import BASELINE_LAGS, fit_per_symbol, fit_pooled, har_design
from training.registry.manager import ModelManager
from training.run.run_plan import RunPlan, read_plan
from training.run.staging import read_staged
from training.tasks import task_of

SETTINGS: dict[str, Any] = {
    "max_leaf_nodes": 31,
    "min_samples_leaf": 200,
    "max_features": 0.5,
    "l2_regularization": 10.0,
    "learning_rate": 0.05,
    "max_iter": 300,
    "early_stopping": False,
    "random_state": 0,
}
_ROWS, _VALID_ROWS, _EVERY = 200_000, 20_000, 5


def examples_of(store: Store, plan: RunPlan, kind: str, bars: list | None = None) -> Examples:
    """Return the examples of all symbols of a run, or of other symbols' bars with the run's universe and features."""
    _, _, universe, context = read_plan(store.uri, plan.name)
    config = plan.config
    if bars is None:
        inputs = [pair for job in plan.blocks(kind) for pair in job.inputs]
        bars = [one for name, symbols in inputs for one in read_staged(store, name, symbols)]
    panel = build_panel(bars, config.features, universe, context, config.direction.label, columns=plan.feature_names)
    examples = task_of(kind).examples(panel, plan.split(kind), config)
    insufficient_data = examples.insufficient_data()
    return examples.select(tuple(symbol for symbol in panel.symbols if symbol not in insufficient_data))


def volatility_peers(examples: Examples) -> dict[str, float]:
    """Return the mean QLIKE on test rows of gamma boosting on the variance, and on its ratio to pooled log-HAR."""
    panel, target = examples.panel, examples.targets
    train, valid, test = (examples.panel_rows(examples.part(part))[0] for part in ("train", "valid", "test"))
    known = np.zeros(len(target), bool)
    known[train] = True
    design = har_design(panel.variance, panel.offsets, BASELINE_LAGS)
    har = fit_pooled(design, target, panel.offsets, known, BASELINE_LAGS)
    base = har.forecast(design, np.zeros(len(target), np.int64))
    out = {}
    for name, scale in (("boosting_peer", np.ones(len(target))), ("boosting_ratio_peer", base)):
        rows = _drawn(train[np.isfinite(scale[train])])
        model = HistGradientBoostingRegressor(loss="gamma", **SETTINGS)
        model.fit(panel.features[rows], target[rows] / scale[rows])
        chosen = valid[np.isfinite(scale[valid])]
        chosen = chosen[:: max(1, len(chosen) // _VALID_ROWS)]
        losses = [
            qlike_rows(target[chosen], scale[chosen] * found).mean()
            for found in _staged(model.staged_predict(panel.features[chosen]))
        ]
        scored = test[np.isfinite(scale[test])]
        found = _at(model.staged_predict(panel.features[scored]), int(np.argmin(losses)))
        out[name] = float(qlike_rows(target[scored], scale[scored] * found).mean())
    return out


def direction_peer(examples: Examples) -> float:
    """Return the mean log loss on test rows of a boosted classifier."""
    panel, labels = examples.panel, examples.targets.astype(np.int64)
    train, valid, test = (examples.panel_rows(examples.part(part))[0] for part in ("train", "valid", "test"))
    rows, chosen = _drawn(train), valid[:: max(1, len(valid) // _VALID_ROWS)]
    model = HistGradientBoostingClassifier(**SETTINGS).fit(panel.features[rows], labels[rows])
    losses = [
        log_loss_rows(labels[chosen], found).mean()
        for found in _staged(model.staged_predict_proba(panel.features[chosen]))
    ]
    found = _at(model.staged_predict_proba(panel.features[test]), int(np.argmin(losses)))
    return float(log_loss_rows(labels[test], found).mean())


def unseen(models: ModelManager, version: str, kind: str, examples: Examples) -> dict[str, float]:
    """Return how a version forecasts symbols that it was not trained on, next to baselines fitted on each of them."""
    fleet: Any = models.load_fleet(kind, version)
    columns = fleet.forecast(examples.panel, examples.part("test"))
    panel_rows, symbol = examples.panel_rows(examples.part("test"))
    target = examples.targets[panel_rows]
    out = {"symbols": float(len(examples.rows)), "rows": float(len(panel_rows))}
    if kind == "direction":
        labels = target.astype(np.int64)
        chance = np.stack([columns[name] for name in ("down", "sideways", "up")], axis=1)
        prior = fleet.prior(examples.panel.symbols[0])
        inside = np.stack([columns[f"in_set_{name}"] for name in ("down", "sideways", "up")], axis=1)
        return out | {
            "log_loss": float(log_loss_rows(labels, chance).mean()),
            "log_loss_prior": float(log_loss_rows(labels, np.tile(prior, (len(labels), 1))).mean()),
            "coverage": float(inside[np.arange(len(labels)), labels].mean()),
        }
    panel, known = examples.panel, np.zeros(len(examples.targets), bool)
    known[examples.panel_rows(examples.train_and_valid())[0]] = True
    design = har_design(panel.variance, panel.offsets, BASELINE_LAGS)
    har = fit_per_symbol(design, examples.targets, panel.offsets, known, BASELINE_LAGS)
    own = har.forecast(design[panel_rows], symbol)
    usable = np.isfinite(own)
    low, high = columns["variance_low"], columns["variance_high"]
    loss, baseline = qlike_rows(target, columns["variance"]), qlike_rows(target[usable], own[usable])
    return out | {
        "qlike": float(loss.mean()),
        "qlike_log_har": float(baseline.mean()),
        "ratio": float(loss[usable].mean() / baseline.mean()),
        "coverage": float(((low <= target) & (target <= high)).mean()),
    }


def rank_correlation(models: ModelManager, version: str, examples: Examples) -> dict[str, float]:
    """Return the mean over days of the rank correlation between P(up) − P(down) and the forward return, with its error.

    Days with fewer than five symbols are left out.
    """
    horizon = models.manifest("direction", version).config["direction"]["horizon"]
    tables = [part.to_pandas() for part in models.test_predictions("direction", version)]
    scores = {
        (symbol, day): score
        for table in tables
        for symbol, day, score in zip(
            table["symbol"], table["date"].to_numpy(), table["p_up"] - table["p_down"], strict=True
        )
    }
    score, forward, dates = [], [], []
    for i, symbol in enumerate(examples.panel.symbols):
        part, rows = examples.panel.rows(i), examples.rows[i].test
        days = examples.panel.dates[part][rows]
        score.append([scores.get((symbol, day), np.nan) for day in days])
        forward.append(forward_return(examples.panel.close[part], horizon)[rows])
        dates.append(days)
    return daily_rank_correlation(*(np.concatenate(parts) for parts in (score, forward, dates)), horizon)


def daily_rank_correlation(score: np.ndarray, forward: np.ndarray, dates: np.ndarray, horizon: int) -> dict[str, float]:
    """Return the mean over days of the rank correlation of rows (n,), its error, and the number of days."""
    known = np.isfinite(score) & np.isfinite(forward)
    score, forward, dates = score[known], forward[known], dates[known]
    order = np.argsort(dates, kind="stable")
    pairs = np.stack([score[order], forward[order]], axis=1)
    days = np.split(pairs, np.flatnonzero(dates[order][1:] != dates[order][:-1]) + 1)
    found = np.array([_spearman(rows) for rows in days if len(rows) >= 5])
    found = found[np.isfinite(found)]
    if len(found) < 2:
        return {}
    error = float(long_run_se((found - found.mean()) / len(found), horizon - 1))
    return {"rank_ic": float(found.mean()), "rank_ic_se": error, "rank_ic_days": float(len(found))}


def daily_mean(values: np.ndarray, dates: np.ndarray, lag: int) -> tuple[float, float]:
    """Return the mean of rows and its standard error clustered by day."""
    day = np.unique(dates.astype("datetime64[D]"), return_inverse=True)[1]
    total, count = np.bincount(day, weights=values), np.bincount(day).astype(float)
    value, error = day_jackknife(ratio, (total, count), lag)
    return float(value), float(error)


def _spearman(pairs: np.ndarray) -> float:
    ranks = rankdata(pairs, axis=0)
    spread = ranks.std(axis=0)
    if pairs[:, 0].std() == 0 or not spread.all():
        return float("nan")
    return float(np.corrcoef(ranks.T)[0, 1])


def _drawn(rows: np.ndarray) -> np.ndarray:
    if len(rows) <= _ROWS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, _ROWS, replace=False))


def _staged(stages: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    return (found for i, found in enumerate(stages) if i % _EVERY == _EVERY - 1)


def _at(stages: Iterator[np.ndarray], number: int) -> np.ndarray:
    return next(found for i, found in enumerate(_staged(stages)) if i == number)

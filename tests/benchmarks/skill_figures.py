"""The figures of `bench_skill`: scores, baselines, paired differences and gains over the prior, as JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from training.metrics.clustered import day_jackknife
from training.metrics.comparison import MetricSummary
from training.metrics.ratio import ratio
from training.registry.manager import ModelManager
from training.run.kind_result import KindResult

_REPORTED = ("log_loss", "brier", "ece", "mcc", "coverage", "up_down_accuracy")


def direction_gains(models: ModelManager, version: str) -> dict[str, float | None]:
    """Return the gain over the class prior in two parts, ``ln p(moves or not)`` and ``[moves] ln p(sign | moves)``.

    Nats a row; both are zero for the prior, and add up to its log loss less the model's.
    """
    days, sums = [], []
    for number in range(len(models.manifest("direction", version).blocks)):
        block = models.load_block("direction", version, number, test=True)
        if (table := block.test) is None:
            continue
        row = {symbol: i for i, symbol in enumerate(block.symbols)}
        owner = np.array([row[symbol] for symbol in table["symbol"].to_pylist()])
        label = table["label"].to_numpy().astype(int)
        model = np.stack([table[f"p_{name}"].to_numpy() for name in ("down", "sideways", "up")], axis=1)
        prior = block.arrays["prior/probabilities"][owner]
        gains = _chain(label, np.asarray(model, np.float64)) - _chain(label, prior)  # (2, n)
        days.append(table["date"].to_numpy().astype("datetime64[D]"))
        sums.append(np.vstack([gains, np.ones(len(label))]))
    day = np.unique(np.concatenate(days), return_inverse=True)[1]
    daily = np.stack([np.bincount(day, weights=row) for row in np.concatenate(sums, axis=1)])  # (3, days)
    out: dict[str, float | None] = {}
    for name, total in zip(("move", "sign"), daily, strict=False):
        value, error = day_jackknife(ratio, (total, daily[2]), 0)
        out[name], out[f"{name}_se"] = _rounded(float(value)), _rounded(float(error))
    return out


def direction_figures(result: KindResult) -> dict[str, float | None]:
    """Return the direction scores, their errors and the baselines' losses."""
    summary = result.summary
    keys = [*_REPORTED, *(f"{key}_se" for key in _REPORTED)]
    for name in ("prior", "logistic"):
        keys += [f"log_loss_{name}", f"log_loss_vs_{name}", f"log_loss_vs_{name}_se", f"brier_{name}"]
        keys += [f"brier_vs_{name}", f"brier_vs_{name}_se", f"mcc_{name}", f"up_down_accuracy_{name}"]
    return {key: _rounded(summary.get(key)) for key in ["rows", "days", *keys, "set_size"]}


def volatility_figures(result: KindResult) -> dict[str, Any]:
    """Return QLIKE of the blend and of all it is compared with, paired differences, and R² of volatility."""
    summary = result.summary
    names = sorted(MetricSummary(summary).baselines("qlike"))
    pooled = summary.get("qlike_log_har_pooled", math.nan)
    return {
        "qlike": {"blend": _rounded(summary.get("qlike")), **{n: _rounded(summary.get(f"qlike_{n}")) for n in names}},
        "qlike_se": _rounded(summary.get("qlike_se")),
        "qlike_vs_log_har_pooled": _rounded(summary.get("qlike_vs_log_har_pooled", math.nan) / pooled),
        "qlike_vs_log_har_pooled_se": _rounded(summary.get("qlike_vs_log_har_pooled_se", math.nan) / pooled),
        "differences": {
            n: [_rounded(summary.get(f"qlike_vs_{n}")), _rounded(summary.get(f"qlike_vs_{n}_se"))] for n in names
        },
        "r2": _rounded(summary.get("r2")),
        "r2_se": _rounded(summary.get("r2_se")),
        "r2_log_har_pooled": _rounded(summary.get("r2_log_har_pooled")),
        **{key: _rounded(summary.get(key)) for key in ("coverage", "coverage_se", "rows", "excluded", "days")},
    }


def _chain(label: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return ``ln p(moved or not)`` and ``[moved] ln p(sign | moved)`` of rows (n, 3): (2, n)."""
    own, still = probabilities[np.arange(len(label)), label], probabilities[:, 1]
    moved = label != 1
    whether = np.log(np.where(moved, 1.0 - still, still))
    return np.stack([whether, np.where(moved, np.log(own) - whether, 0.0)])


def figures(values: dict[str, float]) -> dict[str, float | None]:
    """Return the values rounded for JSON; None where not finite."""
    return {name: _rounded(value) for name, value in values.items()}


def _rounded(value: float | None, digits: int = 6) -> float | None:
    return round(float(value), digits) if value is not None and math.isfinite(value) else None

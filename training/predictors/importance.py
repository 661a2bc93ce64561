"""Which features a predictor uses: permutation importance on validation, and occlusion for one forecast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from configs.errors import DataError
from features.panel import Panel
from training.data.examples import Examples, Float, Int64
from training.metrics.clustered import long_run_se
from training.predictors.fleet import PredictorFleet


def permutation_importance(
    predictor: PredictorFleet, examples: Examples, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return, per feature, how much the validation loss rises when it is permuted, and its standard error.

    Values are permuted within each symbol's validation windows, so a feature keeps its distribution and loses its
    timing. A feature that other features repeat looks unimportant: the forecast does not miss it. Each symbol counts
    alike. The standard error is clustered by day, or taken over symbols if that is larger. Sorted, the most important
    first.

    Raises
    ------
    DataError
        A symbol has no validation rows.

    References
    ----------
    Breiman (2001). Random forests. Machine Learning 45, section 10.
    """
    panel = examples.panel
    rng = np.random.default_rng(seed)
    windows: list[Int64] = []
    for symbol, valid, start in zip(panel.symbols, examples.part("valid"), panel.offsets[:-1], strict=True):
        if not len(valid):
            raise DataError(f"{symbol} has no validation rows to permute features on. Give bars that reach into it.")
        windows.append(np.arange(valid[0] - predictor.window + 1, valid[-1] + 1) + start)
    position = np.concatenate(windows)
    other = np.concatenate([rng.permutation(own) for own in windows])
    before, row = predictor.row_losses(examples, "valid")
    days = panel.dates[examples.panel_rows(examples.part("valid"))[0]].astype("datetime64[D]")
    overlap = predictor.config.section(predictor.kind).horizon - 1
    features = panel.features.copy()
    permuted = replace(examples, panel=replace(panel, features=features))
    out = {}
    for column, name in enumerate(panel.feature_names):
        features[position, column] = panel.features[other, column]
        rise = predictor.row_losses(permuted, "valid")[0] - before
        features[position, column] = panel.features[position, column]
        out[name] = mean_over_symbols(rise, row, days, overlap)
    return dict(sorted(out.items(), key=lambda item: -item[1][0]))


def mean_over_symbols(
    values: Float, symbol: Int64, days: npt.NDArray[np.datetime64], overlap: int
) -> tuple[float, float]:
    """Return the mean of the symbols' means of ``values`` (n,), and its standard error.

    Of two errors the larger one counts: that of the days that were drawn, clustered because symbols move together, and
    that of the symbols that were drawn. Forecasts of ``overlap`` + 1 neighbouring days share outcomes.
    """
    counts = np.bincount(symbol)
    means = np.bincount(symbol, values) / counts
    influence = (values - means[symbol]) / (counts[symbol] * len(counts))
    _, day = np.unique(days, return_inverse=True)
    errors = [float(long_run_se(np.bincount(day, influence).astype(np.float64), overlap))]
    if len(means) > 1:
        errors.append(float(means.std(ddof=1) / np.sqrt(len(means))))
    return float(means.mean()), float(np.nanmax(errors)) if np.isfinite(errors).any() else float("nan")


def contributions(score: Callable[[Panel, Sequence[Int64]], float], panel: Panel, window: int) -> dict[str, float]:
    """Return how much each feature moves the score of the latest bar of a panel of one symbol.

    A feature's contribution is the score as it is, less the score with that feature at its training centre over the
    whole window (occlusion). Contributions of features that work together do not add up to the whole. Sorted by size.
    """
    last = [np.array([len(panel.dates) - 1], np.int64)]
    actual = score(panel, last)
    features = panel.features.copy()
    hidden = replace(panel, features=features)
    out = {}
    for column, name in enumerate(panel.feature_names):
        features[-window:, column] = np.nan  # a missing value counts as the training centre
        out[name] = actual - score(hidden, last)
        features[-window:, column] = panel.features[-window:, column]
    return dict(sorted(out.items(), key=lambda item: -abs(item[1])))

"""The newest forecast of each symbol of a block, so that a run can end with them without loading a model again."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.panel import Panel
from training.predictors.bars_predictor import BarsPredictor


def newest_forecasts(predictor: BarsPredictor, panel: Panel) -> dict[str, dict[str, Any]]:
    """Return by symbol, as JSON, the columns of :meth:`.BarsPredictor.forecast` at its last bar.

    Besides them: ``as_of`` and ``close`` of that bar, and ``ewma_vol``, the volatility a bar that the sideways band of
    direction labels is a multiple of. A symbol with too few bars for a forecast is left out.
    """
    panel = panel.select(tuple(symbol for symbol in predictor.symbols if symbol in panel.symbols))
    lengths, first = np.diff(panel.offsets), predictor.first_row(panel)
    panel = panel.select(tuple(s for s, length in zip(panel.symbols, lengths, strict=True) if length > first))
    if not panel.symbols:
        return {}
    last = panel.offsets[1:] - 1
    columns = predictor.forecast(panel, [np.array([n - 1]) for n in np.diff(panel.offsets)])
    columns = {"close": panel.close[last], "ewma_vol": panel.ewma_vol[last], **columns}
    lists = {name: [_json(value) for value in values.tolist()] for name, values in columns.items()}
    dates = panel.dates[last].astype("datetime64[s]").astype(str).tolist()
    return {
        symbol: {"as_of": dates[i], **{name: values[i] for name, values in lists.items()}}
        for i, symbol in enumerate(panel.symbols)
    }


def _json(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.9g}") if np.isfinite(value) else None
    return value

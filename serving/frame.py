"""Predictions as a table with one row per symbol, for files and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from serving.answers import Prediction

if TYPE_CHECKING:
    import pandas as pd


def predictions_frame(predictions: Sequence[Prediction]) -> pd.DataFrame:
    """Return a frame with one row a symbol.

    Columns are ``symbol, as_of, close``; of direction ``down, sideways, up`` (probabilities), ``label, label_set,
    band_low_price, band_high_price, direction_target`` and its horizon, version and basis; of volatility
    ``volatility, volatility_low, volatility_high`` (fractions a year), ``volatility_target`` and the same three;
    ``stale, notes, error``. What a prediction does not have is missing.
    """
    import pandas as pd

    return pd.DataFrame([_row(one) for one in predictions])


def _row(one: Prediction) -> dict[str, Any]:
    row: dict[str, Any] = {"symbol": one.symbol, "as_of": one.as_of, "close": one.close}
    if (direction := one.direction) is not None:
        chances, band = direction.probabilities, direction.band
        row |= {"down": chances.down, "sideways": chances.sideways, "up": chances.up, "label": direction.label}
        row |= {"label_set": "|".join(direction.label_set)}
        row |= {"band_low_price": band.low_price, "band_high_price": band.high_price} if band else {}
        row |= _common("direction", direction)
    if (volatility := one.volatility) is not None:
        row |= {"volatility": volatility.annualised, "volatility_low": volatility.low}
        row |= {"volatility_high": volatility.high, "volatility_fallback": volatility.fallback}
        row |= _common("volatility", volatility)
    error = one.error.message if one.error else None
    return row | {"stale": one.stale, "notes": "; ".join(one.notes), "error": error}


def _common(kind: str, forecast: Any) -> dict[str, Any]:
    names = ("target_date", "horizon_bars", "version", "basis", "trained_to")
    return {f"{kind}_{name}": getattr(forecast, name) for name in names}

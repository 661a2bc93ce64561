"""Predictions as a data frame, one row per symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import pandas as pd

    from serving.answers import Prediction


_OF_BOTH = ("target_date", "horizon_bars", "version", "basis", "trained_to")


class _Row(Protocol):
    @property
    def row(self) -> dict[str, Any]: ...


T = TypeVar("T", bound=_Row)


class Predictions(list[T]):
    """Predictions in the order of the request, or responses: a list that is also a table."""

    def to_frame(self) -> pd.DataFrame:
        """Return a row per symbol, indexed by ``symbol``; see :func:`row_of`."""
        return frame_of(self)


def frame_of(predictions: Sequence[_Row]) -> pd.DataFrame:
    """Return the rows of predictions, indexed by ``symbol``."""
    import pandas as pd

    rows = [one.row for one in predictions]
    return pd.DataFrame(rows, columns=None if rows else ["symbol"]).set_index("symbol")


def row_of(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as one row.

    Of direction ``down``, ``sideways``, ``up`` (probabilities), ``label``, ``confidence``, ``label_set`` and the prices
    between which a move counts as sideways; of volatility ``volatility`` and its interval, fractions a year, and
    ``fallback``. Of both, behind the kind's name: ``target_date, horizon_bars, version, basis, trained_to``. What a
    prediction does not have is None; ``error`` says why.
    """
    direction, volatility = prediction.direction, prediction.volatility
    probabilities, band = (getattr(direction, name, None) for name in ("probabilities", "band"))
    return {
        "symbol": prediction.symbol,
        "as_of": prediction.as_of,
        "close": prediction.close,
        **{name: getattr(probabilities, name, None) for name in ("down", "sideways", "up")},
        **{name: getattr(direction, name, None) for name in ("label", "confidence")},
        "label_set": "|".join(direction.label_set) if direction else None,
        **{f"band_{name}": getattr(band, name, None) for name in ("low_price", "high_price")},
        "volatility": volatility.annualised if volatility else None,
        "volatility_low": volatility.low if volatility else None,
        "volatility_high": volatility.high if volatility else None,
        "fallback": volatility.fallback if volatility else None,
        **{f"direction_{name}": getattr(direction, name, None) for name in _OF_BOTH},
        **{f"volatility_{name}": getattr(volatility, name, None) for name in _OF_BOTH},
        "stale": prediction.stale,
        "error": prediction.error.message if prediction.error else None,
        "notes": "; ".join(prediction.notes),
    }

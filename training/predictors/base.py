"""What every predictor is: something that is fitted and predicts. Subclass it for a model of your own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from training.predictors.parameters import Parameters

if TYPE_CHECKING:
    import pandas as pd


class BasePredictor(Parameters, ABC):
    """The contract of a predictor: ``fit``, ``predict``, and scikit-learn's ``get_params`` and ``set_params``.

    A subclass needs the two methods only. :class:`.EnsemblePredictor` hands it the data as they were given and
    combines what it predicts; see there which columns mean what.

    Examples
    --------
    >>> import pandas as pd
    >>> class LastMove(BasePredictor):
    ...     def fit(self, bars):
    ...         self.mean_ = bars["close"].pct_change().mean()
    ...         return self
    ...     def predict(self, bars):
    ...         return pd.DataFrame({"drift": self.mean_}, index=bars.index)
    >>> bars = pd.DataFrame({"close": [100.0, 110.0, 121.0]}, pd.bdate_range("2024-01-01", periods=3))
    >>> round(float(LastMove().fit(bars).predict(bars)["drift"].iloc[-1]), 3)
    0.1
    """

    @abstractmethod
    def fit(self, bars: Any) -> Self:
        """Fit bars, or whatever the model reads, and return the predictor."""

    @abstractmethod
    def predict(self, bars: Any) -> pd.DataFrame | pd.Series:
        """Return forecasts, one row per bar, indexed by ``(symbol, date)``, by date, or as the bars given are."""

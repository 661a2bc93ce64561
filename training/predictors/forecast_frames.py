"""What predictors return to people: data frames that can also be read by position and drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from configs.errors import ModelError, require
from features.labels import CLASSES

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ALSO = {"direction_labels": "label"}


class Forecast(pd.Series):
    """A column of :class:`Forecasts`. A whole number is a position where the index has dates: ``[-1]`` is the last."""

    @property
    def _constructor(self) -> Callable[..., Forecast]:
        return Forecast

    @property
    def _constructor_expanddim(self) -> Callable[..., Forecasts]:
        return Forecasts

    def __getitem__(self, key: Any) -> Any:
        """Return a value by position or by label, or several, as pandas does."""
        if pd.api.types.is_integer(key) and not pd.api.types.is_numeric_dtype(self.index.dtype):
            return self.iloc[key]
        return super().__getitem__(key)


class Forecasts(pd.DataFrame):
    """Forecasts, one row per bar, indexed by ``(symbol, date)``: a data frame, with three additions.

    ``found["confidence"][-1]`` is the last row's; ``found["direction_labels"]`` is another name of the column
    ``label``; :meth:`plot` draws.

    Examples
    --------
    >>> index = pd.MultiIndex.from_product([["AAPL"], pd.bdate_range("2024-01-01", periods=2)])
    >>> found = Forecasts({"label": ["up", "down"], "confidence": [0.5, 0.4]}, index)
    >>> found["direction_labels"][-1], float(found["confidence"][0])
    ('down', 0.5)
    """

    @property
    def _constructor(self) -> Callable[..., Forecasts]:
        return Forecasts

    @property
    def _constructor_sliced(self) -> Callable[..., Forecast]:
        return Forecast

    def __getitem__(self, key: Any) -> Any:
        """Return a column, or rows and columns as pandas does."""
        if isinstance(key, str) and key in _ALSO and key not in self.columns:
            key = _ALSO[key]
        return super().__getitem__(key)

    def to_frame(self) -> pd.DataFrame:
        """Return a plain data frame."""
        return pd.DataFrame(self)

    def plot(self, symbol: str | None = None) -> Figure:  # type: ignore[override]
        """Draw the forecasts of one symbol over time: class probabilities, or volatility with its interval.

        Parameters
        ----------
        symbol
            Which to draw; the first one by default.

        Raises
        ------
        ModelError
            There is no such symbol, or no column that can be drawn.
        """
        from plotly.graph_objects import Figure, Scatter

        part, name = self._of(symbol)
        figure = Figure(layout={"title": name, "hovermode": "x unified", "template": "plotly_white"})
        dates = part.index
        if set(CLASSES) <= set(part.columns):
            for one in CLASSES:
                figure.add_trace(Scatter(x=dates, y=part[one].to_numpy(), name=one, stackgroup="classes"))
            figure.update_yaxes(title="probability", range=[0, 1])
        elif "volatility" in part.columns:
            if {"volatility_low", "volatility_high"} <= set(part.columns):
                for end, fill in (("volatility_low", None), ("volatility_high", "tonexty")):
                    line = {"width": 0}
                    figure.add_trace(Scatter(x=dates, y=part[end].to_numpy(), name=end, line=line, fill=fill))
            figure.add_trace(Scatter(x=dates, y=part["volatility"].to_numpy(), name="volatility"))
            figure.update_yaxes(title="volatility a year", tickformat=".0%")
        else:
            have = ", ".join(map(str, part.columns))
            raise ModelError(
                f"forecasts with the columns {have} cannot be drawn; expected {', '.join(CLASSES)} or volatility. Draw "
                "a predictor's own forecasts."
            )
        return figure

    def _of(self, symbol: str | None) -> tuple[pd.DataFrame, str]:
        require(symbol, (str, type(None)), "symbol", "a name such as 'AAPL'")
        if self.empty:
            raise ModelError("there is no forecast to draw. Give more bars: a window has to be complete.")
        if self.index.nlevels == 1:
            return pd.DataFrame(self), symbol or ""
        known = self.index.get_level_values(0)
        name = known[0] if symbol is None else symbol
        if name not in known:
            raise ModelError(f"there is no forecast of {name!r}; expected one of {', '.join(known.unique()[:5])}.")
        return cast(pd.DataFrame, pd.DataFrame(self).xs(name, level=0)), str(name)


class Importance(pd.DataFrame):
    """Features by importance, the largest first: ``importance`` and its ``standard_error``, in units of the loss."""

    @property
    def _constructor(self) -> Callable[..., Importance]:
        return Importance

    def plot(self, most: int = 20) -> Figure:  # type: ignore[override]
        """Draw the first ``most`` features as bars with their standard errors."""
        from plotly.graph_objects import Bar, Figure

        top = pd.DataFrame(self).head(most)[::-1]
        errors = {"type": "data", "array": top["standard_error"].to_numpy()}
        bars = Bar(x=top["importance"].to_numpy(), y=top.index, error_x=errors, orientation="h")
        figure = Figure(bars, layout={"template": "plotly_white", "title": "Permutation importance"})
        figure.update_xaxes(title="rise of the validation loss when the feature is permuted")
        return figure

"""What was decided at each close, as frames for a backtest and as signals for a bot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.labels import CLASSES
from training.strategy.follow import Path, PortfolioState
from training.strategy.reasons import TEXT, Flags, texts
from training.strategy.regime import NAMES, UNKNOWN
from training.strategy.series import Float, Ints
from training.strategy.signal import Action, Signal
from training.strategy.view import ForecastView


@dataclass(frozen=True, eq=False)
class Decisions:
    """Positions of each date from row ``first`` of the view on; all arrays are (D − first, S).

    ``path.weights`` are signed shares of equity to hold from the next bar on. ``reasons`` is 0 exactly where a weight
    is not. ``regime`` is one of ``states``, −1 where it is unknown.
    """

    view: ForecastView
    first: int
    path: Path
    reasons: Flags
    regime: Ints
    states: int

    @property
    def weights(self) -> Float:
        """Signed shares of equity (D, S) to hold from the next bar on."""
        return self.path.weights

    @property
    def dates(self) -> pd.DatetimeIndex:
        """Dates of decisions."""
        return pd.DatetimeIndex(self.view.dates[self.first :])

    def targets(self) -> pd.DataFrame:
        """Return weights, dates × symbols, for :func:`training.validation.simulate`; NaN where a position stays."""
        return self._frame(np.where(self.path.is_unchanged, np.nan, self.weights))

    def stop_levels(self) -> pd.DataFrame:
        """Return stop prices, dates × symbols; NaN for none."""
        return self._frame(self.path.stops)

    def take_profit_levels(self) -> pd.DataFrame:
        """Return prices of profit targets, dates × symbols; NaN for none."""
        return self._frame(self.path.take_profits)

    def state_before(self, row: int = -1) -> PortfolioState:
        """Return the portfolio before the decision of a date, from which a bot can go on."""
        place = range(len(self.weights))[row]
        path, nothing = self.path, np.full(len(self.view.symbols), np.nan)
        stops, takes = (path.stops[place - 1], path.take_profits[place - 1]) if place else (nothing, nothing)
        return PortfolioState(path.held[place], stops, takes, path.waiting[place], path.filled[place])

    def state_after(self, row: int = -1) -> PortfolioState:
        """Return the portfolio as decided on a date, which :func:`.through_bar` takes to the close of the next bar."""
        place, path = range(len(self.weights))[row], self.path
        return PortfolioState(
            self.weights[place], path.stops[place], path.take_profits[place], path.waiting[place], path.filled[place]
        )

    def signals(self, row: int = -1) -> list[Signal]:
        """Return the signals of one date, by default the newest, one a symbol."""
        place = range(len(self.weights))[row]
        return [self._signal(place, s) for s in range(len(self.view.symbols))]

    def why(self, dates: int | None = None, symbols: Iterable[str] | None = None) -> dict[str, int]:
        """Return how many positions are not 0 (``position``), and of how many each reason is one.

        ``dates`` counts those of the first so many dates only, ``symbols`` those of some symbols only.
        """
        columns = slice(None) if symbols is None else [self.view.symbols.index(name) for name in symbols]
        reasons, weights = self.reasons[:dates, columns], self.weights[:dates, columns]
        counts = {text: int(np.count_nonzero(reasons & reason)) for reason, text in TEXT.items()}
        return {"position": int(np.count_nonzero(weights)), **{text: n for text, n in counts.items() if n}}

    def _frame(self, values: Float) -> pd.DataFrame:
        return pd.DataFrame(values, index=self.dates, columns=list(self.view.symbols))

    def _signal(self, row: int, s: int) -> Signal:
        view, t = self.view, self.first + row
        lean, state = float(view.lean[t, s]), int(self.regime[row, s])
        label = None if np.isnan(lean) else 1 + int(np.sign(lean))
        return Signal(
            symbol=view.symbols[s],
            as_of=view.dates[t],
            action=_action(float(self.path.held[row, s]), float(self.weights[row, s])),
            direction=None if label is None else CLASSES[label],  # type: ignore[arg-type]
            confidence=None if label is None else float(view.probabilities[t, s, label]),
            strength=_number(view.strength[t, s]),
            position_size=float(self.weights[row, s]),
            stop=_number(self.path.stops[row, s]),
            take_profit=_number(self.path.take_profits[row, s]),
            volatility=_number(view.volatility[t, s]) if view.has_volatility[t, s] else None,
            regime=UNKNOWN if state < 0 else NAMES[self.states][state],
            reasons=texts(int(self.reasons[row, s])),
        )


def _action(held: float, weight: float) -> Action:
    if weight == held:
        return "hold" if held else "none"
    return "buy" if weight > held else "sell"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

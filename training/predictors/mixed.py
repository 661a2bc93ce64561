"""One forecaster of fleets with different settings: symbols that have settings of their own, beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from configs.errors import ModelError
from features.panel import Panel
from training.data.examples import Int64, panel_rows
from training.data.windows import Windows
from training.predictors.base import BasePredictor


class MixedFleet:
    """Fleets of one version, each with settings of its own, that forecast as one.

    Windows are as long as the longest of theirs, and each fleet reads the end that it needs; ``config`` is the first
    one's, and what it says of features, labels and levels holds for all.

    Raises
    ------
    ModelError
        A symbol is in two of them, or they read different features.
    """

    def __init__(self, fleets: Sequence[BasePredictor]) -> None:
        first = fleets[0]
        self._fleets = tuple(fleets)
        self.kind, self.feature_names, self.universe = first.kind, first.feature_names, first.universe
        self.symbols = tuple(symbol for one in fleets for symbol in one.symbols)
        self.window = max(one.window for one in fleets)
        self.config = first.config
        self._place = {symbol: i for i, symbol in enumerate(self.symbols)}
        if len(self._place) < len(self.symbols) or any(_task(one) != _task(first) for one in fleets):
            raise ModelError(
                "these fleets hold a symbol twice, or forecast something else of other features. Train them in one run."
            )
        self._fleet = np.repeat(np.arange(len(fleets)), [len(one.symbols) for one in fleets])
        self._row = np.concatenate([np.arange(len(one.symbols)) for one in fleets])

    @property
    def forecasts_unseen(self) -> bool:
        """Whether symbols that were not fitted can be forecast: not by several fleets, none of which is theirs."""
        return False

    def first_row(self, panel: Panel, symbol: str) -> int:
        """Return the first row of a symbol in such a panel that can have a forecast."""
        return self._of(symbol).first_row(panel, symbol)

    def windows(self, panel: Panel, rows: Sequence[Int64]) -> Windows:
        """Return what :meth:`forecast_windows` reads for these rows; features before a fleet's own window are NaN."""
        _, position = panel_rows(panel, rows)
        owner = self._fleet[[self._place[symbol] for symbol in panel.symbols]]
        found, order = list[Windows](), list[Int64]()
        for number in np.unique(owner).tolist():
            held = np.flatnonzero(owner == number)
            part = panel.select(tuple(panel.symbols[i] for i in held.tolist()))
            mine = self._fleets[number].windows(part, [rows[i] for i in held.tolist()])
            before = [(0, 0), (self.window - mine.features.shape[1], 0), (0, 0)]
            found.append(replace(mine, features=np.pad(mine.features, before, constant_values=np.nan)))
            order.append(np.flatnonzero(owner[position] == number))
        return Windows.concat(found).take(np.argsort(np.concatenate(order)))

    def forecast_windows(self, windows: Windows, symbols: Int64) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of each symbol's own fleet, for windows of any mix of symbols (n,)."""
        out: dict[str, npt.NDArray[Any]] = {}
        for number, fleet in enumerate(self._fleets):
            chosen = np.flatnonzero(self._fleet[symbols] == number)
            if len(chosen):
                mine = windows.take(chosen)
                mine = replace(mine, features=mine.features[:, -fleet.window :])
                for name, values in fleet.forecast_windows(mine, self._row[symbols[chosen]]).items():
                    out.setdefault(name, np.empty(len(symbols), values.dtype))[chosen] = values
        return out

    def prior(self, symbol: str) -> npt.NDArray[np.float64]:
        """Return a symbol's class prior (3,), of direction models."""
        fleet: Any = self._of(symbol)
        found: npt.NDArray[np.float64] = fleet.prior(symbol)
        return found

    def _of(self, symbol: str) -> BasePredictor:
        return self._fleets[int(self._fleet[self._place[symbol]])]


def _task(fleet: BasePredictor) -> tuple[Any, ...]:
    config = fleet.config
    label, horizon = config.direction.label, config.section(fleet.kind).horizon
    return fleet.kind, fleet.feature_names, fleet.universe, label, horizon


Forecaster = BasePredictor | MixedFleet
"""What a server needs of the fitted models of a version."""

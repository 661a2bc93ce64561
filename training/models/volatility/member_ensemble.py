"""The ensemble: an anchor that every member corrects, moved by the market's surprise. No intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from features.panel import Panel
from training.data.arrays import Float, row_index
from training.data.design import Design
from training.data.examples import Int64
from training.data.windows import Windows
from training.models.volatility.anchor import LONGEST, TERMS, anchor_inputs
from training.models.volatility.combination import Combination
from training.models.volatility.fleet_state import FleetState
from training.models.volatility.market_surprise import MarketFleet
from training.models.volatility.member import ForecastInputs, MemberSpec, Series
from training.models.volatility.members import baselines, combined, fallback, fitted
from training.models.volatility.regression import LinearFleet

_FALLBACK = 10.0  # a forecast further from the anchor than this factor is replaced
_ANCHOR = slice(0, 1 + TERMS)


class Combined(NamedTuple):
    """A forecast of n windows: ``variance`` (n,), where a baseline replaces it (n,), and what it was made of.

    ``others`` are the variances (n,) of every member and baseline, as far as members are trusted, and of the anchor;
    NaN where one has no forecast.
    """

    variance: Float
    fallback: npt.NDArray[np.bool_]
    others: dict[str, Float]


@dataclass(frozen=True)
class VolatilityEnsemble:
    """Fitted parts, each with one row for all symbols, or a row per symbol and then that of symbols not fitted.

    ``linear`` holds the anchor and the linear member; ``members`` the fleet of every member that has one.
    """

    config: Config
    design: Design
    linear: LinearFleet
    market: MarketFleet
    members: Mapping[str, FleetState]

    def series(self, panel: Panel, rows: Int64) -> Float:
        """Return what forecasts read of the history of a panel whose symbols are ``rows`` (S,) here: (rows, K)."""
        parts = [anchor_inputs(panel.variance, panel.close, panel.offsets)]
        for spec, series in self._series():
            fleet = self.members[spec.name]
            parts.append(series.compute(panel, fleet.take(row_index(len(fleet), rows))))
        return np.concatenate(parts, axis=1)

    def series_at(self, panel: Panel, rows: Int64, panel_rows: Int64, symbol: Int64) -> Float:
        """Return rows ``panel_rows`` (n,) of :meth:`series`, which are of each ``symbol`` (n,), in ascending order.

        What has windows is computed from the bars that these rows read.
        """
        if len(np.unique(symbol)) < len(panel.symbols):
            return self.series(panel, rows)[panel_rows]
        cut, at = panel.before(panel_rows, symbol, LONGEST)
        parts = [anchor_inputs(cut.variance, cut.close, cut.offsets)[at]]
        for spec, series in self._series():
            fleet = self.members[spec.name]
            where, chosen = (cut, at) if series.is_windowed else (panel, panel_rows)
            parts.append(series.compute(where, fleet.take(row_index(len(fleet), rows)))[chosen])
        return np.concatenate(parts, axis=1)

    def member_forecasts(self, windows: Windows, symbols: Int64) -> tuple[Float, dict[str, Float]]:
        """Return the anchor's variances (n,) and those of every member and baseline, unbounded."""
        columns, at = dict[str, Float](), _ANCHOR.stop
        for _, series in self._series():
            columns[series.name] = windows.series[:, at : at + series.width]
            at += series.width
        anchor_columns, row = windows.series[:, _ANCHOR], row_index(len(self.linear), symbols)
        bars = self.design.transform(windows.bars)
        anchor = self.linear.anchor_forecast(anchor_columns, row)
        base = self.linear.forecast(anchor_columns, bars[windows.ends], row)
        inputs = ForecastInputs(self.config, self.design, windows, bars, symbols, base, columns)
        return anchor, {spec.name: spec.forecast(inputs, self.members.get(spec.name)) for spec in self.fitted}

    def combine(self, windows: Windows, symbols: Int64, combination: Combination) -> Combined:
        """Return the combined forecast of windows of any mix of symbols (n,).

        A forecast that is not finite, or differs from the anchor by more than a factor of ten, is replaced by the
        anchor, or by the fallback member (EWMA) where there is no anchor.
        """
        anchor, found = self.member_forecasts(windows, symbols)
        table = np.stack([found[spec.name] for spec in combined(self.config.volatility)], axis=1)
        corrections, factor = combination.corrections(anchor, table), self._market_factor(windows)
        variance = anchor * np.exp(combination.log_correction(corrections) + factor)
        with np.errstate(divide="ignore", invalid="ignore"):
            replaced = ~(np.abs(np.log(variance / anchor)) <= np.log(_FALLBACK))
        if replaced.any():
            usable = np.isfinite(anchor) & (anchor > 0)
            variance = np.where(replaced, np.where(usable, anchor, found[fallback().name]), variance)
        others = {spec.name: found[spec.name] for spec in baselines()} | {"anchor": anchor}
        for spec, correction in zip(combined(self.config.volatility), corrections.T, strict=True):
            if not spec.is_baseline:
                others[spec.name] = anchor * np.exp(combination.trust[0] * correction + factor)
        return Combined(variance, replaced, {name: _positive(values) for name, values in others.items()})

    @property
    def fitted(self) -> list[MemberSpec]:
        """The configured members and all baselines."""
        return fitted(self.config.volatility)

    def _series(self) -> Sequence[tuple[MemberSpec, Series]]:
        """Return each series once, with the first member that reads it."""
        found = {spec.series.name: (spec, spec.series) for spec in reversed(self.fitted) if spec.series is not None}
        return list(found.values())

    def _market_factor(self, windows: Windows) -> Float:
        level = windows.gather(windows.bars[:, self.market.level_column[0]])
        scaled = windows.gather(self.design.scaled(windows.bars, self.market.columns))
        return self.market.log_factor(scaled, level, self.config.volatility.horizon)


def _positive(values: Float) -> Float:
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)

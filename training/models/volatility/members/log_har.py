"""The log-HAR baseline of each symbol."""

from __future__ import annotations

from features.panel import Panel
from training.models.volatility.fleet_state import Float
from training.models.volatility.har import BASELINE_LAGS, HarFleet, fit_per_symbol, fit_pooled, har_design
from training.models.volatility.member import FitData, ForecastInputs, MemberSpec, Series


def lags(panel: Panel, fleet: HarFleet | None) -> Float:
    """Return a one and the log mean variances of each bar's past, (rows, 1 + L)."""
    return har_design(panel.variance, panel.offsets, BASELINE_LAGS)


def fit_shared(data: FitData) -> HarFleet:
    """Fit one log-HAR for all symbols."""
    panel = data.panel
    return fit_pooled(lags(panel, None), data.examples.targets, panel.offsets, data.known, BASELINE_LAGS)


def forecast(inputs: ForecastInputs, fleet: HarFleet) -> Float:
    """Return the mean variances (n,) that each symbol's row, or the one row that all share, forecasts."""
    return fleet.forecast(inputs.series[LAGS.name], inputs.rows(fleet))


def _fit_own(data: FitData, shared: HarFleet) -> HarFleet:
    panel = data.panel
    return fit_per_symbol(lags(panel, None), data.examples.targets, panel.offsets, data.known, BASELINE_LAGS)


LAGS = Series("har_lags", 1 + len(BASELINE_LAGS), lags, is_windowed=True)

SPEC = MemberSpec(
    name="log_har",
    title="log-HAR per symbol",
    aliases=("har",),
    state=HarFleet,
    fit_shared=fit_shared,
    fit_own=_fit_own,
    series=LAGS,
    forecast=forecast,
    is_baseline=True,
    rank=1,
)

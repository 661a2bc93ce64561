"""GARCH(1,1) with or without leverage, or EGARCH(1,1), per symbol: estimated one by one, forecast as a fleet.

Glosten, Jagannathan and Runkle (1993, J. Finance 48); with γ = 0 it is Bollerslev (1986, J. Econometrics 31). Nelson
(1991, Econometrica 59) for EGARCH, whose formulas are in :mod:`training.models.volatility.egarch`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from features.panel import Panel
from training.models.volatility.egarch import BACKCAST, backcast, egarch_filter, egarch_mean
from training.models.volatility.fleet_state import FleetState, Float, Ints, Mask, symbol_index
from training.models.volatility.garch.estimation import estimate_garch
from training.models.volatility.garch.recursions import GarchType
from training.models.volatility.level import RatioSums
from training.models.volatility.member import FitData, ForecastInputs, MemberSpec, Series


@dataclass(frozen=True, slots=True)
class GarchFleet(FleetState):
    """Parameters (S, 5): μ, ω, α, γ, β of ``σ²_{t+1} = ω + (α + γ 1[e_t < 0]) e_t² + β σ²_t`` with ``e = r − μ``.

    Returns are log returns per bar; ω is in their squares. ``level`` (S,) maps close-to-close variance to the scale
    of the target. Where ``is_log`` (S,) the parameters are those of an EGARCH. A symbol whose estimation failed has NaN
    parameters and no forecast.
    """

    parameters: Float
    level: Float
    is_log: Mask

    def inputs(self, close: Float, offsets: Ints) -> Float:
        """Return σ²_{t+1} (rows,), the next bar's variance known at t, for closes (rows,) of the fleet's symbols.

        NaN before each symbol's 75th return: the recursion's start is estimated from them, so no earlier value is
        free of look-ahead.
        """
        out = np.full(len(close), np.nan)
        for i, (parameters, is_log) in enumerate(zip(self.parameters, self.is_log, strict=True)):
            start, stop = int(offsets[i]), int(offsets[i + 1])
            if stop - start > BACKCAST + 1 and np.isfinite(parameters).all():
                returns = np.diff(np.log(close[start:stop]))
                variance = egarch_filter(parameters, returns) if is_log else garch_filter(parameters, returns)
                out[start + BACKCAST : stop] = variance[BACKCAST - 1 :]
        return out

    def forecast(self, inputs: Float, index: Ints, horizon: int) -> Float:
        """Return the mean variance (n,) over the next ``horizon`` bars, given σ²_{t+1} (n,) and each row's symbol.

        ``E σ²_{t+k} = ω (1 + φ + … + φ^{k−2}) + φ^{k−1} σ²_{t+1}`` with ``φ = α + γ/2 + β``, averaged over k; the
        sums are formed term by term, so φ = 1 needs no case of its own.
        """
        phi = self.parameters[:, 2] + 0.5 * self.parameters[:, 3] + self.parameters[:, 4]
        powers = phi[:, None] ** np.arange(horizon)
        slope = powers.mean(axis=1)
        constant = np.concatenate([np.zeros((len(self), 1)), np.cumsum(powers, axis=1)[:, :-1]], axis=1).mean(axis=1)
        mean = self.parameters[index, 1] * constant[index] + slope[index] * inputs
        if (logs := self.is_log[index]).any():
            mean[logs] = egarch_mean(self.parameters, inputs[logs], index[logs], horizon)
        return np.asarray(self.level[index] * mean)


def garch_filter(parameters: Float, returns: Float) -> Float:
    """Return σ²_{t+1} (n,) after each return (n,), as one linear filter, equal to ``arch``'s recursion.

    Row t holds the variance of return t + 1. ``arch`` seeds σ²_0 with a backcast, the weighted mean of the first 75
    squared residuals with weights 0.94^i.
    """
    from scipy.signal import lfilter

    mu, omega, alpha, gamma, beta = parameters
    residual = returns - mu
    square = residual**2
    first = omega + (alpha + 0.5 * gamma + beta) * backcast(square)
    shock = omega + (alpha + gamma * (residual < 0)) * square
    out, _ = lfilter([1.0], [1.0, -beta], shock, zi=[beta * first])
    return np.asarray(out)


def fit_garch(
    close: Float,
    target: Float,
    offsets: Ints,
    rows: Mask,
    horizon: int,
    kind: GarchType = "GJR",
) -> tuple[GarchFleet, dict[int, str]]:
    """Fit every symbol's GARCH and its level on train.

    Parameters
    ----------
    close, target : (rows,)
        Closes, and the mean variance over the next ``horizon`` bars (NaN where unknown), symbol after symbol.
    offsets : (S + 1,)
        Symbol i owns rows ``offsets[i]:offsets[i + 1]``.
    rows : (rows,) bool
        The train rows; returns up to the last of them are used, so none from validation or test.
    horizon : int
        Bars of the target.
    kind
        See :func:`.estimate_garch`.

    Returns
    -------
    GarchFleet
        NaN parameters for symbols that failed.
    dict of int to str
        The reason for each symbol that failed, by its position.
    """
    size = len(offsets) - 1
    parameters, failed = np.full((size, 5), np.nan), {}
    for i in range(size):
        start, stop = int(offsets[i]), int(offsets[i + 1])
        last = np.flatnonzero(rows[start:stop])[-1:]
        end = start + int(last[0]) + 1 if len(last) else start
        try:
            parameters[i] = estimate_garch(np.diff(np.log(close[start:end])), kind)
        except ValueError as error:
            failed[i] = str(error)
    fleet = GarchFleet(parameters, np.ones(size), np.full(size, kind == "EGARCH"))
    index = symbol_index(offsets)
    raw = fleet.forecast(fleet.inputs(close, offsets), index, horizon)
    return replace(fleet, level=RatioSums.of(target, raw, index, rows, size).level()), failed


def _none(data: FitData) -> GarchFleet:
    """Return what a symbol that was not fitted has: no GARCH."""
    return GarchFleet(np.full((1, 5), np.nan), np.ones(1), np.array([data.config.volatility.garch == "EGARCH"]))


def _fit_own(data: FitData, shared: GarchFleet) -> GarchFleet:
    """Fit each symbol; one that cannot be estimated has no forecast, and the anchor takes its weight."""
    panel, part = data.panel, data.config.volatility
    return fit_garch(panel.close, data.examples.targets, panel.offsets, data.known, part.horizon, part.garch)[0]


def _states(panel: Panel, fleet: GarchFleet) -> Float:
    return fleet.inputs(panel.close, panel.offsets)[:, None]


def _forecast(inputs: ForecastInputs, fleet: GarchFleet) -> Float:
    return fleet.forecast(inputs.series["garch"][:, 0], inputs.rows(fleet), inputs.config.volatility.horizon)


def _parameters(fleet: GarchFleet) -> dict[str, float]:
    """Return the mean persistence: α + γ/2 + β, or β of an EGARCH."""
    _, _, alpha, gamma, beta = fleet.parameters.T
    persistence = np.where(fleet.is_log, beta, alpha + 0.5 * gamma + beta)
    known = persistence[np.isfinite(persistence)]
    return {"persistence": float(known.mean()) if len(known) else float("nan")}


SPEC = MemberSpec(
    name="garch",
    title="GARCH",
    state=GarchFleet,
    fit_shared=_none,
    fit_own=_fit_own,
    series=Series("garch", 1, _states),
    forecast=_forecast,
    is_baseline=True,
    rank=2,
    parameters=_parameters,
)

"""GARCH(1,1) with leverage per symbol: estimated by ``arch``, filtered and forecast as a fleet.

Glosten, Jagannathan and Runkle (1993, J. Finance 48); with γ = 0 it is Bollerslev (1986, J. Econometrics 31).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from features.panel import Panel
from training.models.volatility.fleet_state import FleetState, Float, Ints, Mask, symbol_index
from training.models.volatility.level import RatioSums
from training.models.volatility.member import FitData, ForecastInputs, MemberSpec, Series

MIN_RETURNS = 250
_BACKCAST = 75  # arch starts its recursion from the exponentially weighted mean of this many squared residuals
_BACKCAST_DECAY = 0.94


@dataclass(frozen=True, slots=True)
class GarchFleet(FleetState):
    """Parameters (S, 5): μ, ω, α, γ, β of ``σ²_{t+1} = ω + (α + γ 1[e_t < 0]) e_t² + β σ²_t`` with ``e = r − μ``.

    Returns are log returns per bar; ω is in their squares. ``level`` (S,) maps close-to-close variance to the scale
    of the target. A symbol whose estimation failed has NaN parameters and no forecast.
    """

    parameters: Float
    level: Float

    def inputs(self, close: Float, offsets: Ints) -> Float:
        """Return σ²_{t+1} (rows,), the next bar's variance known at t, for closes (rows,) of the fleet's symbols.

        NaN before each symbol's 75th return: the recursion's start is estimated from them, so no earlier value is
        free of look-ahead.
        """
        out = np.full(len(close), np.nan)
        for i, parameters in enumerate(self.parameters):
            start, stop = int(offsets[i]), int(offsets[i + 1])
            if stop - start > _BACKCAST + 1 and np.isfinite(parameters).all():
                returns = np.diff(np.log(close[start:stop]))
                out[start + _BACKCAST : stop] = garch_filter(parameters, returns)[_BACKCAST - 1 :]
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
        return np.asarray(self.level[index] * (self.parameters[index, 1] * constant[index] + slope[index] * inputs))


def garch_filter(parameters: Float, returns: Float) -> Float:
    """Return σ²_{t+1} (n,) after each return (n,), as one linear filter, equal to ``arch``'s recursion.

    Row t holds the variance of return t + 1. ``arch`` seeds σ²_0 with a backcast, the weighted mean of the first 75
    squared residuals with weights 0.94^i.
    """
    from scipy.signal import lfilter

    mu, omega, alpha, gamma, beta = parameters
    residual = returns - mu
    square = residual**2
    weights = _BACKCAST_DECAY ** np.arange(min(_BACKCAST, len(square)))
    backcast = float(weights @ square[: len(weights)] / weights.sum())
    first = omega + (alpha + 0.5 * gamma + beta) * backcast
    shock = omega + (alpha + gamma * (residual < 0)) * square
    out, _ = lfilter([1.0], [1.0, -beta], shock, zi=[beta * first])
    return np.asarray(out)


def estimate_garch(returns: Float, leverage: bool = True, student: bool = True) -> Float:
    """Return μ, ω, α, γ, β (5,) by maximum likelihood on log returns (n,).

    Parameters
    ----------
    returns : (n,)
        Log returns of train, oldest first.
    leverage : bool
        Whether γ is estimated (GJR) or 0.
    student : bool
        Whether the likelihood is Student's t, whose estimates a few jumps do not move, or normal.

    Raises
    ------
    ValueError
        Too few returns, no variation, or an optimiser that did not converge; the message is the reason.
    """
    from arch.univariate import GARCH, ConstantMean, Normal, StudentsT

    if len(returns) < MIN_RETURNS:
        raise ValueError(f"{len(returns)} returns, GARCH needs {MIN_RETURNS}")
    scale = float(np.std(returns))
    if not np.isfinite(scale) or np.count_nonzero(returns != returns[0]) < len(returns) // 2:
        raise ValueError("returns are not finite or most are equal")
    # In units of their own deviation, returns of every market have the size that arch's start values expect.
    model = ConstantMean(
        returns / scale,
        volatility=GARCH(1, int(leverage), 1),
        distribution=StudentsT() if student else Normal(),
        rescale=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = model.fit(disp="off", show_warning=False)
        except (ArithmeticError, RuntimeError, np.linalg.LinAlgError) as error:
            raise ValueError(f"GARCH failed: {error}") from error
    if result.convergence_flag != 0:
        raise ValueError(f"GARCH did not converge (optimiser's flag {result.convergence_flag})")
    values = result.params
    gamma = float(values["gamma[1]"]) if leverage else 0.0
    found = [values["mu"] * scale, values["omega"] * scale**2, values["alpha[1]"], gamma, values["beta[1]"]]
    parameters = np.asarray(found, dtype=np.float64)
    if not np.isfinite(parameters).all():
        raise ValueError("GARCH estimates are not finite")
    return parameters


def fit_garch(
    close: Float,
    target: Float,
    offsets: Ints,
    rows: Mask,
    horizon: int,
    leverage: bool = True,
    student: bool = True,
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
    leverage, student : bool
        See :func:`estimate_garch`.

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
            parameters[i] = estimate_garch(np.diff(np.log(close[start:end])), leverage, student)
        except ValueError as error:
            failed[i] = str(error)
    fleet = GarchFleet(parameters, np.ones(size))
    index = symbol_index(offsets)
    raw = fleet.forecast(fleet.inputs(close, offsets), index, horizon)
    return replace(fleet, level=RatioSums.of(target, raw, index, rows, size).level()), failed


def _none(data: FitData) -> GarchFleet:
    """Return what a symbol that was not fitted has: no GARCH."""
    return GarchFleet(np.full((1, 5), np.nan), np.ones(1))


def _fit_own(data: FitData, shared: GarchFleet) -> GarchFleet:
    """Fit each symbol; one that cannot be estimated has no forecast, and the anchor takes its weight."""
    panel, horizon = data.panel, data.config.volatility.horizon
    return fit_garch(panel.close, data.examples.targets, panel.offsets, data.known, horizon)[0]


def _states(panel: Panel, fleet: GarchFleet) -> Float:
    return fleet.inputs(panel.close, panel.offsets)[:, None]


def _forecast(inputs: ForecastInputs, fleet: GarchFleet) -> Float:
    return fleet.forecast(inputs.series["garch"][:, 0], inputs.rows(fleet), inputs.config.volatility.horizon)


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
)

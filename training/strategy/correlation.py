"""Correlations of past returns, and the groups of symbols that they make."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from features.bars.arrays import Dates
from training.strategy.series import Float, Ints

LEAST_RETURNS = 20
_UNKNOWN = 0.5  # of pairs when no pair is known: symbols of one market are correlated


def correlations(returns: Float) -> Float:
    """Return the correlation (S, S) of returns (T, S), each pair over the dates on which both have one.

    A pair with fewer than ``LEAST_RETURNS`` dates, or one of constant price, has the mean of the other pairs.
    """
    known = np.isfinite(returns)
    count = known.sum(axis=0)
    mean = np.where(known, returns, 0.0).sum(axis=0) / np.maximum(count, 1)
    centred = np.where(known, returns - mean, 0.0)
    mask = known.astype(np.float64)
    power = (centred * centred).T @ mask
    scale = np.sqrt(power * power.T)
    usable = (mask.T @ mask >= LEAST_RETURNS) & (scale > 0.0)
    found = np.where(usable, centred.T @ centred / np.where(usable, scale, 1.0), np.nan)
    np.fill_diagonal(found, np.nan)
    pairs = np.isfinite(found)
    usual = float(found[pairs].mean()) if pairs.any() else _UNKNOWN
    out = np.clip(np.where(pairs, found, usual), -1.0, 1.0)
    np.fill_diagonal(out, 1.0)
    return np.asarray(out)


def groups_of(correlation: Float, least: float) -> Ints:
    """Return the group (S,) of each symbol: those linked, directly or through others, by a correlation ≥ ``least``."""
    _, labels = connected_components(csr_array(correlation >= least), directed=False)
    return np.asarray(labels, dtype=np.int64)


def portfolio_volatility(weights: Float, volatility: Float, correlation: Float) -> float:
    """Return the annualised volatility of weights (S,) with volatilities (S,) and correlations (S, S)."""
    risk = weights * volatility
    return float(np.sqrt(max(covariance(risk, risk, correlation), 0.0)))


def covariance(risk: Float, other: Float, correlation: Float) -> float:
    """Return the covariance of two portfolios with risks (S,), weights times volatilities, and correlations (S, S)."""
    return float((risk * (correlation * other).sum(axis=1)).sum())


def month_starts(dates: Dates) -> Ints:
    """Return for each date (D,) the row of the first date of its month."""
    months = dates.astype("datetime64[M]")
    first = np.concatenate([[True], months[1:] != months[:-1]]) if len(months) else np.zeros(0, bool)
    return np.asarray(np.maximum.accumulate(np.where(first, np.arange(len(months)), 0)), dtype=np.int64)

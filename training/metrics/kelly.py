"""Kelly's criterion: the stake that makes wealth grow fastest.

A *fraction* of wealth staked on a bet that may be lost entirely, and a *leverage* of wealth exposed to returns, are two
numbers with two names: .19 and 4.75 for the same bet of +5 % and −4 %.
"""

from __future__ import annotations

import math


def kelly_fraction(probability: float, odds: float) -> float:
    """Return the share of wealth to stake on a bet that pays ``odds`` times the stake or loses it; 0 without an edge.

    References
    ----------
    Kelly, J. L. (1956). A new interpretation of information rate. Bell System Technical Journal 35, 917-926.
    """
    _check(probability, odds=odds)
    return max(probability - (1.0 - probability) / odds, 0.0)


def kelly_leverage(probability: float, gain: float, loss: float) -> float:
    """Return the exposure, as a multiple of wealth, to a return of +``gain`` or −``loss``; 0 without an edge."""
    _check(probability, gain=gain, loss=loss)
    return max(probability / loss - (1.0 - probability) / gain, 0.0)


def log_growth(probability: float, gain: float, loss: float, leverage: float) -> float:
    """Return the expected log growth of wealth a bet at this leverage; −inf if a loss takes everything.

    A fixed-odds bet is ``gain`` = odds, ``loss`` = 1, ``leverage`` = fraction.
    """
    _check(probability, gain=gain, loss=loss)
    if leverage * loss >= 1.0 and probability < 1.0:
        return -math.inf
    lost = 0.0 if probability == 1.0 else (1.0 - probability) * math.log1p(-leverage * loss)
    return probability * math.log1p(leverage * gain) + lost


def _check(probability: float, **positive: float) -> None:
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"probability has value {probability!r}; expected a number from 0 to 1")
    for name, value in positive.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} has value {value!r}; expected a positive number")

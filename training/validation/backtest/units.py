"""From decisions to units to hold."""

from __future__ import annotations

import numpy as np

from training.validation.backtest.market import Float
from training.validation.backtest.terms import Figure


def wanted_units(decided: Float, of_equity: tuple[float, Float] | None, lot: Figure | None) -> Float:
    """Return the units to hold (S,) of decisions, NaN where nothing is decided.

    Parameters
    ----------
    decided : (S,)
        Units, or shares of equity if ``of_equity`` gives the equity and what a unit is worth (S,), above 0.
    lot
        Units are multiples of it.
    """
    wanted = decided
    if of_equity is not None:
        equity, worth = of_equity
        wanted = wanted * equity / worth
    return wanted if lot is None else whole_lots(wanted, lot)


def unlocked(decided: Float, wanted: Float, locked: Float) -> tuple[Float, Float]:
    """Return the units to hold and the locks (S,) after decisions (S,), where exits have closed positions.

    What a stop or target closed stays closed until the sign of its target changes.
    """
    same = (locked != 0) & (np.sign(decided) == locked)
    return np.where(same, 0.0, wanted), np.where(same | np.isnan(decided), locked, 0.0)


def whole_lots(quantity: Float, lot: Figure) -> Float:
    """Return quantities (…) rounded towards zero to multiples of lots; a lot of 0 allows fractions."""
    safe = np.where(np.asarray(lot) > 0, lot, 1.0)
    # A tenth is no whole number of binary digits: 0.3 / 0.1 is three lots.
    return np.asarray(np.where(np.asarray(lot) > 0, np.trunc(quantity / safe * (1.0 + 1e-12)) * safe, quantity))

"""How much of an order is filled: no more than a share of the volume, and no more than the account may hold."""

from __future__ import annotations

import numpy as np

from training.validation.backtest.market import Float, Market
from training.validation.backtest.setting import Setting
from training.validation.backtest.terms import Terms, at, on
from training.validation.backtest.units import whole_lots


def within_volume(order: Float, t: int, market: Market, terms: Terms) -> Float:
    """Return orders (S,) of bar t, each at most the share ``terms.cap`` of the bar's volume."""
    assert terms.cap is not None
    most = terms.cap * market.volume[t]
    if not market.all_have_volume:
        most[~market.has_volume[t]] = np.inf
    if not (np.abs(order) > most).any():
        return order
    filled: Float = np.minimum(np.maximum(order, -most), most)
    if terms.lot is not None:
        cut = filled != order
        filled[cut] = whole_lots(filled[cut], at(terms.lot, t, cut))
    return filled


def within_leverage(order: Float, price: Float, t: int, setting: Setting, position: Float, cash: float) -> Float:
    """Return orders (S,) whose growing parts are scaled so that gross exposure is at most a multiple of equity."""
    assert setting.max_leverage is not None
    terms = setting.terms
    unit = terms.fill_unit_value
    value = price if unit is None else price * on(unit, t)
    value = np.where(value > 0, value, setting.mark_value[t - 1])
    shrinking = np.where(position * order < 0, -np.sign(position) * np.minimum(np.abs(position), np.abs(order)), 0.0)
    growing = order - shrinking
    equity = cash + float((position * value).sum())
    room = setting.max_leverage * equity - float((np.abs(position + shrinking) * value).sum())
    wanted = float((np.abs(growing) * value).sum())
    if wanted <= room or wanted == 0.0:
        return order
    growing = growing * max(room / wanted, 0.0)
    if terms.lot is not None:
        growing = whole_lots(growing, on(terms.lot, t))
    return np.asarray(shrinking + growing)

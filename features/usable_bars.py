"""Bars in any form, as training and serving read them: without rows that break a rule, with steps mended."""

from __future__ import annotations

import warnings

from configs.errors import DataError, shortened
from features.any_bars import AnyBars, read_bars, warn_of
from features.bars.mending import Mended, OnSteps, mend
from features.bars.schema import SymbolBars


def usable_bars(
    bars: AnyBars,
    symbol: str | None = None,
    *,
    default_symbol: str = "SYMBOL",
    on_steps: OnSteps = "quarantine",
    stacklevel: int = 2,
) -> list[SymbolBars]:
    """Return the bars of each symbol; those that name none are of ``symbol``, else of ``default_symbol``.

    Prices are adjusted for the splits that the bars name, and mended as ``on_steps`` (``data.on_steps``) says.

    Raises
    ------
    DataError
        There are none, they cannot be read, or ``on_steps`` is ``refuse`` and prices step.

    Warns
    -----
    UserWarning
        Rows break a rule of :mod:`features.bars.validation` and are left out, or prices step.
    """
    found, quarantine = read_bars(bars, symbol, default_symbol=default_symbol)
    warn_of(quarantine, stacklevel=stacklevel + 1)
    mended = {one.symbol: mend(one, on_steps) for one in found}
    stepped = {name: one for name, one in mended.items() if one.steps}
    if stepped and on_steps == "refuse":
        raise DataError(f"{_summary(stepped)} (data.on_steps=refuse). Correct the bars, or choose another on_steps.")
    if stepped and on_steps != "keep":
        warnings.warn(f"{_summary(stepped)} (data.on_steps={on_steps})", stacklevel=stacklevel + 1)
    return [one.bars for one in mended.values()]


def _summary(mended: dict[str, Mended], most: int = 3) -> str:
    texts = [f"{name}: {one.summary()}" for name, one in list(mended.items())[:most]]
    more = list(mended)[most:]
    return ". ".join([*texts, f"Likewise {shortened(more)}"] if more else texts)

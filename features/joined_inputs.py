"""The newest bars of several symbols as one series, so that a feature takes one pass over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from features.bars.arrays import VALUES
from features.bars.schema import SymbolBars
from features.inputs import Float, Inputs

T = TypeVar("T", bound=np.generic)


class JoinedInputs(Inputs):
    """The inputs of the newest ``rows`` bars of S symbols, symbol after symbol: float64 (S · rows,).

    At 86 bars a symbol most of a feature's time is that of calling numpy, not of its arithmetic. A value whose window
    begins before its symbol's first row here mixes two symbols: a family that is windowed is right, to the last bit, in
    all rows but the first of each symbol, as many as its warm-up has.

    Parameters
    ----------
    parts
        The inputs of all bars of each symbol, at least ``rows``. They have the same layout, universe and context, and
        all or none have a range, and volume.
    rows
        How many bars of each symbol are taken.
    """

    def __init__(self, parts: Sequence[Inputs], rows: int) -> None:
        self._parts, self._rows = parts, rows
        one = parts[0]
        dates = self._newest([part.bars.dates for part in parts])
        values = {name: self._newest([getattr(part.bars, name) for part in parts]) for name in VALUES}
        bars = SymbolBars("", dates, **values, has_range=one.bars.has_range, has_volume=one.bars.has_volume)
        super().__init__(bars, one.layout, one._universe, one.context)
        for name in ("open", "high", "low", "close"):  # in units of each symbol's first close
            setattr(self, name, self._joined(name))

    @cached_property
    def volume(self) -> Float:
        """Volume in units of each symbol's first positive volume."""
        return self._joined("volume")

    @cached_property
    def variance(self) -> Float:
        """Each bar's variance estimate v_t."""
        return self._joined("variance")

    @cached_property
    def balance(self) -> Float:
        """On-balance volume of all bars of each symbol."""
        return self._joined("balance")

    @cached_property
    def known(self) -> dict[str, Float]:
        """The columns of market series and alternative data as known at each bar."""
        return {name: self._newest([part.known[name] for part in self._parts]) for name in self._parts[0].known}

    def ewma(self, lam: float) -> Float:
        """Return the per-bar volatility by an EWMA of v with this weight of the past, of all bars of each symbol."""
        if lam not in self._ewma:
            self._ewma[lam] = self._newest([part.ewma(lam) for part in self._parts])
        return self._ewma[lam]

    def _joined(self, name: str) -> Float:
        return self._newest([getattr(part, name) for part in self._parts])

    def _newest(self, series: Sequence[npt.NDArray[T]]) -> npt.NDArray[T]:
        return np.concatenate([values[-self._rows :] for values in series])

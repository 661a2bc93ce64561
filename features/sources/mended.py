"""A source whose steps and spikes are mended as ``data.on_steps`` says, for training and serving alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from features.bars.mending import Mended, OnSteps, left_out_rows, mend
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars
from features.sources.base import Source


class MendedSource:
    """The bars of another source without spikes, and rebased at steps.

    ``mended`` has the steps and spikes of each symbol that has any, without its bars; rows that are left out go to
    ``quarantine`` under the rule ``spike``. Otherwise it is the other source.
    """

    def __init__(self, source: Source, on_steps: OnSteps) -> None:
        self.source, self.on_steps, self.name = source, on_steps, source.name
        self.quarantine, self.missing = Quarantine.empty(), dict[str, str]()
        self.mended: dict[str, Mended] = {}

    @property
    def read_as(self) -> Mapping[str, tuple[str, ...]]:
        """How the other source read its tables."""
        return self.source.read_as

    def load(
        self, symbols: Sequence[str] = (), start: date | None = None, end: date | None = None
    ) -> Iterator[SymbolBars]:
        """Yield each symbol's bars as :func:`features.bars.mending.mend` returns them."""
        spikes = list[Quarantine]()
        self.mended = {}
        for bars in self.source.load(symbols, start, end):
            mended = mend(bars, self.on_steps)
            if mended.steps:
                spikes.append(left_out_rows(bars, mended))
                self.mended[bars.symbol] = replace(mended, bars=bars.first(0))
            yield mended.bars
        self.quarantine = Quarantine.concat([self.source.quarantine, *spikes])
        self.missing = self.source.missing

    def stamp(self) -> str:
        """Return the other source's stamp."""
        return self.source.stamp()

    def problem(self, symbol: str, most: int, since: np.datetime64 | None = None) -> str:
        """Return why a symbol's bars after ``since``, by default all, are not to be used, or an empty text.

        See :meth:`features.bars.mending.Mended.refusal`.
        """
        mended = self.mended.get(symbol)
        if mended is None:
            return ""
        return (mended if since is None else mended.since(since)).refusal(self.on_steps, most)

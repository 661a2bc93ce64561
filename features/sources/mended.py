"""A source whose steps and spikes are mended as ``data.on_steps`` says, for training and serving alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

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

    def problem(self, symbol: str, most: int) -> str:
        """Return why a symbol is not to be trained on, or an empty text: more than ``most`` steps remain."""
        mended = self.mended.get(symbol)
        if mended is None or self.on_steps == "keep":
            return ""
        if self.on_steps == "refuse":
            return f"{mended.summary()} (data.on_steps=refuse)"
        if len(mended.kept) <= most:
            return ""
        return (
            f"{mended.summary()}; at most {most} may stay unexplained (data.max_unexplained_steps). Correct the data, "
            "or set data.on_steps to rebase (multiply the prices before) or keep (they are real)"
        )

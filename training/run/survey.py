"""One pass over a run's bars: which symbols can be trained, and why others cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from configs.data import DataConfig
from configs.words import counted
from features.bars.period import BarPeriod, bar_period, other_periods
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars
from features.sources.mended import MendedSource


@dataclass
class Survey:
    """Number and period of the bars of each symbol, the date of its newest one, and why others are skipped."""

    lengths: dict[str, int] = field(default_factory=dict)
    newest: dict[str, np.datetime64] = field(default_factory=dict)
    periods: dict[str, BarPeriod] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def usable_bars(self, source: MendedSource, data: DataConfig) -> Iterator[SymbolBars]:
        """Yield the bars of symbols to stage, and record their lengths and the reasons of the others."""
        for bars in source.load(sorted(data.symbols), data.start, data.end):
            if len(bars) < data.min_bars:
                self.skipped[bars.symbol] = (
                    f"{counted(len(bars), 'bar')}; at least {data.min_bars} are needed (data.min_bars)"
                )
            elif bars.is_constant:
                self.skipped[bars.symbol] = "the price is constant"
            elif problem := source.problem(bars.symbol, data.max_unexplained_steps):
                self.skipped[bars.symbol] = problem
            else:
                self.lengths[bars.symbol], self.newest[bars.symbol] = len(bars), bars.dates[-1]
                self.periods[bars.symbol] = bar_period(bars.dates)
                yield bars

    def finish(self, source: MendedSource, data: DataConfig) -> list[str]:
        """Skip symbols whose data are too broken or of another period, and return warnings about the others.

        Raises
        ------
        DataError
            Most symbols' bars are of no one period.
        """
        self.skipped |= source.missing
        warnings = self._check_quarantine(source, data)
        for symbol in sorted(source.mended.keys() & self.lengths.keys() - self.skipped.keys()):
            warnings.append(f"{symbol}: {source.mended[symbol].summary()}")
        self.skipped |= other_periods({s: period for s, period in self.periods.items() if s not in self.skipped})
        return warnings

    def _check_quarantine(self, source: MendedSource, data: DataConfig) -> list[str]:
        """Skip symbols with too many quarantined rows, and return warnings for the others with any."""
        warnings = []
        parts = dict(iter(source.quarantine.frame.groupby("symbol", sort=False, observed=True)))
        for symbol, count in sorted(source.quarantine.lost().items()):
            if symbol in self.skipped or symbol not in self.lengths:
                continue
            rows = self.lengths[symbol] + count
            if count > data.max_quarantined * rows:
                most = f"at most {data.max_quarantined:.0%} may (data.max_quarantined)"
                self.skipped[symbol] = f"{count} of {counted(rows, 'row')} break a rule; {most}"
            else:
                others = Quarantine(parts[symbol][parts[symbol]["rule"] != "spike"])
                if lost := others.lost().get(symbol):
                    total = counted(rows, "row")
                    warnings.append(f"{symbol}: {lost} of {total} were left out ({others.summary()})")
        return warnings

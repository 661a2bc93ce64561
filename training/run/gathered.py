"""The bars and shared inputs of a run: staged bars, the universe table, market context, and the names of features."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from configs.errors import DataError
from configs.schema import Config
from features.alternative.stopped import stopped_sources
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.engineer import feature_names
from features.sources.base import Source, read_lines
from features.sources.mended import MendedSource
from features.store.store import Store
from features.universe import UniverseTable
from features.universe_build import build_universe
from training.run.job import Input
from training.run.market_file import write_market
from training.run.staging import StagedBlock, read_staged, stage_bars
from training.run.survey import Survey
from training.tasks import task_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a run reads.

    ``inputs`` are staged files with the symbols to train from each; ``clean`` symbols make up the
    universe and the sample of the pooled fit; ``dates`` (D,) are all dates of theirs. ``market`` names the file with
    ``universe`` and ``context``.
    """

    staged: tuple[StagedBlock, ...]
    inputs: tuple[Input, ...]
    clean: frozenset[str]
    dates: npt.NDArray[np.datetime64]
    universe: UniverseTable
    context: MarketContext | None
    market: str
    feature_names: tuple[str, ...]
    lengths: dict[str, int]
    skipped: dict[str, str]
    warnings: tuple[str, ...]
    read_as: tuple[str, ...]

    @property
    def trained(self) -> frozenset[str]:
        """All symbols to train."""
        return frozenset(symbol for _, symbols in self.inputs for symbol in symbols)

    @property
    def bars(self) -> int:
        """The number of their bars."""
        return sum(self.lengths[symbol] for symbol in self.trained)

    def fingerprints(self) -> list[tuple[str, str]]:
        """Return each trained symbol with the hash of its bars, sorted."""
        trained = self.trained
        pairs = (pair for block in self.staged for pair in zip(block.symbols, block.fingerprints, strict=True))
        return sorted(pair for pair in pairs if pair[0] in trained)


@dataclass
class _Calendar:
    """All dates of the symbols that make up the universe, and whether any symbol has a range or volume."""

    dates: npt.NDArray[np.datetime64] = field(default_factory=lambda: np.empty(0, "datetime64[ns]"))
    has_range: bool = False
    has_volume: bool = False

    def collect(self, bars: Iterable[SymbolBars], members: set[str]) -> Iterator[SymbolBars]:
        """Yield all bars, and add those of ``members`` to the calendar."""
        for symbol_bars in bars:
            if symbol_bars.symbol in members:
                if len(np.setdiff1d(symbol_bars.dates, self.dates, assume_unique=True)):
                    self.dates = np.union1d(self.dates, symbol_bars.dates)
                self.has_range |= symbol_bars.has_range
                self.has_volume |= symbol_bars.has_volume
            yield symbol_bars


def gather(
    source: Source, config: Config, store: Store, context: MarketContext | None, *, by_length: bool = True
) -> Gathered:
    """Read the bars once, stage them, choose the symbols to train, and compute what they share.

    Shared inputs (dates, universe table, sample of the pooled fit) are computed from symbols without a quarantined row
    or a step, so that broken data of one symbol cannot change the models of others, unless more than half have some.
    Only the lag of universe features depends on every trained symbol, because each of them reads the universe table.

    Parameters
    ----------
    by_length
        Whether symbols of similar length are fitted together, which pads little, and the longest first; otherwise
        neighbours are.

    Raises
    ------
    DataError
        No symbol can be trained.
    """
    for kind in config.run.kinds:
        task_of(kind).check(config)
    mended, survey = MendedSource(source, config.data.on_steps), Survey()
    bars = survey.usable_bars(mended, config.data)
    staged = tuple(stage_bars(store, bars, config.run.block_symbols, by_length=by_length))
    warnings = survey.finish(mended, config.data)
    if context is not None and context.alternative is not None:
        warnings += map(str, stopped_sources(context.alternative, survey.newest))
    trained = {symbol for symbol in survey.lengths if symbol not in survey.skipped}
    for symbol, reason in sorted(survey.skipped.items()):
        logger.info("%s is skipped: %s", symbol, reason)
    if not trained:
        reasons = "; ".join(f"{symbol}: {reason}" for symbol, reason in sorted(survey.skipped.items())[:3])
        raise DataError(
            f"no symbol can be trained ({reasons or 'the source holds none'}). Give other bars or --symbols."
        )
    clean = trained - set(mended.quarantine.lost()) - set(mended.mended)
    if 2 * len(clean) < len(trained):
        clean = trained
    calendar = _Calendar()
    universe = build_universe(
        calendar.collect(_staged_bars(store, staged, trained), clean), config.features, members=clean
    )
    if config.features.universe_lag is None and universe.lag and not universe.is_empty:
        warnings.insert(0, _lag_warning(universe))
    names = feature_names(
        config.features, universe, context, has_range=calendar.has_range, has_volume=calendar.has_volume
    )
    inputs = [(b.name, chosen) for b in staged if (chosen := tuple(s for s in b.symbols if s in trained))]
    if by_length:  # long blocks come first, so that no worker starts one when the other workers are about to end
        inputs.sort(key=lambda block: -sum(survey.lengths[symbol] for symbol in block[1]))
    return Gathered(
        staged=staged,
        inputs=tuple(inputs),
        clean=frozenset(clean),
        dates=calendar.dates,
        universe=universe,
        context=context,
        market=write_market(store, universe, context),
        feature_names=names,
        lengths=dict(survey.lengths),
        skipped=dict(sorted(survey.skipped.items())),
        warnings=tuple(warnings),
        read_as=tuple(read_lines(mended.read_as)),
    )


def _lag_warning(universe: UniverseTable) -> str:
    what = "different calendars" if len(universe.calendars) > 1 else "a calendar"
    return (
        f"symbols trade on {what} ({', '.join(universe.calendars)}), so universe features are lagged by "
        "one session, so that they do not use closes of later time zones (features.universe_lag=0 overrides)"
    )


def _staged_bars(store: Store, staged: Sequence[StagedBlock], members: set[str]) -> Iterator[SymbolBars]:
    for block in staged:
        chosen = [symbol for symbol in block.symbols if symbol in members]
        if chosen:
            yield from read_staged(store, block.name, chosen)

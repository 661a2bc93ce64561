"""The fitted models of one version: all its symbols, or those of one shard, stacked to one model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import ModelError, UnreadableError
from configs.values import Kind
from serving.answers import KINDS, Basis, Forecast
from serving.kinds import SERVED_KINDS
from serving.targets import LastBar, in_sample_note, is_seen
from training.data.windows import Windows
from training.predictors.bars_predictor import BarsPredictor
from training.predictors.chunks import joined
from training.registry.manager import ModelManager

_CHUNK = 512  # windows of one forward pass

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ForecastColumns:
    """What a model forecasts for n windows: ``values`` by column (n,), ``baselines`` by name, each row's ``basis``.

    Columns and baselines are those of :meth:`.PredictorFleet.forecast_with_baselines`.
    """

    values: Mapping[str, npt.NDArray[Any]]
    baselines: Mapping[str, npt.NDArray[Any]]
    basis: Sequence[Basis]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fleet:
    """One kind's fitted models.

    ``position`` maps a loaded symbol to its row, ``all_symbols`` are those of the version, ``universe`` those that its
    features compare a symbol with, ``metrics`` those of the test period, ``periods`` the first and last day of
    ``train``, ``valid`` and ``test``. ``tested_rows`` returns a symbol's forecasts of the test, or None.
    """

    kind: Kind
    version: str
    created: datetime
    metrics: Mapping[str, Any]
    predictor: BarsPredictor
    position: Mapping[str, int]
    all_symbols: frozenset[str]
    universe: frozenset[str]
    periods: Mapping[str, tuple[str, str]]
    tested_rows: Callable[[str], pa.Table | None] = lambda symbol: None

    @property
    def nominal_coverage(self) -> float:
        """The probability with which label sets or intervals are calibrated to contain the outcome."""
        return SERVED_KINDS[self.kind].nominal_coverage(self.predictor.config)

    def forecast(self, windows: Windows, rows: Int64, last: Sequence[LastBar]) -> Sequence[Forecast]:
        """Return the forecasts of n windows of any mix of symbols.

        ``rows`` (n,) are rows of this fleet, ``last`` the n last bars of the windows.
        """
        return self.answers(self.columns(windows, rows), last)

    def columns(self, windows: Windows, rows: Int64) -> ForecastColumns:
        """Return the columns of n windows with those of the baselines; ``rows`` are as for :meth:`forecast`."""
        chunks = np.split(np.arange(len(rows)), range(_CHUNK, len(rows), _CHUNK))
        parts = [self.predictor.forecast_with_baselines(windows.take(chunk), rows[chunk]) for chunk in chunks]
        values, baselines = joined([part for part, _ in parts]), joined([others for _, others in parts])
        basis: list[Basis] = ["own" if row < len(self.position) else "pooled" for row in rows.tolist()]
        return ForecastColumns(values, baselines, basis)

    def answers(self, found: ForecastColumns, last: Sequence[LastBar]) -> Sequence[Forecast]:
        """Return n forecasts of columns and the last bars before them."""
        return SERVED_KINDS[self.kind].forecasts(self.predictor, found.values, self.version, found.basis, last)

    def notes(self, last: LastBar) -> tuple[str, ...]:
        """Return a warning where the fit has seen outcomes after the bar that a forecast follows."""
        seen_to = self.predictor.calibrated_to
        return () if seen_to is None or not is_seen(last, seen_to) else (in_sample_note(self.kind, seen_to),)

    def row(self, symbol: str) -> int:
        """Return a symbol's row; for a symbol that was not fitted, the row of the pooled model."""
        return self.position.get(symbol, len(self.position))

    def can_forecast(self, symbol: str, unseen: bool) -> bool:
        """Return whether a symbol was fitted or, with ``unseen``, whether there is a pooled model for it."""
        return symbol in self.position or (unseen and self.predictor.forecasts_unseen)


def resolve_versions(manager: ModelManager, alias: str, kinds: Sequence[Kind] = KINDS) -> dict[Kind, str]:
    """Return the version of each of these kinds that an alias, ``latest`` or a version's name refers to.

    Raises
    ------
    ModelError
        None of the kinds has it, or a kind's aliases cannot be read.
    """
    found: dict[Kind, str] = {}
    reasons: dict[str, None] = {}
    for kind in kinds:
        try:
            found[kind] = manager.resolve(kind, alias)
        except UnreadableError:  # a damaged file must not look like a kind without models
            raise
        except ModelError as error:
            reasons[str(error)] = None
    if not found:
        raise ModelError(" ".join(reasons))
    return found


def require_kinds(manager: ModelManager, found: Container[str], needs: Collection[str], strategy: str) -> None:
    """Check that there is a champion of each kind of models that a strategy needs.

    Raises
    ------
    ModelError
        There is none of a kind; the message says whether there are versions of it that could be promoted.
    """
    for kind in sorted(needs):
        if kind not in found:
            way = _way_to_champion(manager, kind)
            raise ModelError(
                f"strategy {strategy} needs a champion of {kind}, and there is none{way}, or choose another --strategy."
            )


def missing_champions(manager: ModelManager, found: Container[str]) -> list[str]:
    """Return a sentence for each kind without a champion: which forecasts that costs, why, and what to do."""
    return [
        f"{kind} is not forecast: it has no champion{_way_to_champion(manager, kind)}."
        for kind in KINDS
        if kind not in found
    ]


def _way_to_champion(manager: ModelManager, kind: Kind | str) -> str:
    if not (versions := manager.versions(kind)):
        return f". Train one (`fleetcast train --kinds {kind}`)"
    return (
        f": {versions[-1]} is not promoted (`fleetcast models show {versions[-1]}` says why). Promote it "
        f"(`fleetcast models promote {versions[-1]} --kind {kind}`)"
    )


def open_fleet(manager: ModelManager, kind: Kind, version: str, only: Container[str] | None = None) -> Fleet:
    """Load a version's models, of all its symbols or of those in ``only``.

    Raises
    ------
    ModelError
        A file is missing, corrupt or of another schema, or the version has none of the symbols.
    """
    manifest = manager.manifest(kind, version)
    predictor, roster = manager.load_fleet(kind, version, only), manager.roster(kind, manifest.version)
    notes = manifest.notes if isinstance(manifest.notes, dict) else {}
    return Fleet(
        kind=kind,
        version=manifest.version,
        created=manifest.created,
        metrics=manifest.metrics,
        predictor=predictor,
        position={symbol: i for i, symbol in enumerate(predictor.symbols)},
        all_symbols=frozenset(roster.symbols()),
        universe=roster.universe(),
        periods=notes.get("periods") or {},
        tested_rows=partial(manager.tested_rows, kind, manifest.version),
    )

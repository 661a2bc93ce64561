"""The fitted models of one alias: of each kind the version it names, all symbols stacked to one model."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from configs.errors import ModelError
from configs.values import Kind
from features.labels import CLASSES
from serving.answers import KINDS, Basis, DirectionForecast, Probabilities, VolatilityForecast
from training.data.windows import Windows
from training.predictors.base import BasePredictor
from training.registry.manager import ModelManager

_AT_ONCE = 512

Columns = Mapping[str, npt.NDArray[Any]]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fleet:
    """One kind's fitted models, of all symbols of a version or of some.

    ``position`` maps a symbol to its row, ``everyone`` are the symbols of the whole version, ``metrics`` those of the
    test period, ``periods`` the first and last day of ``train``, ``valid`` and ``test``.
    """

    kind: Kind
    version: str
    created: datetime
    metrics: Mapping[str, Any]
    predictor: BasePredictor
    position: Mapping[str, int]
    everyone: frozenset[str]
    periods: Mapping[str, tuple[str, str]]

    @property
    def level(self) -> float:
        """How often label sets or intervals are meant to hold the outcome."""
        config = self.predictor.config
        return config.direction.conformal_level if self.kind == "direction" else config.volatility.interval_level

    def forecast(self, windows: Windows, rows: Int64) -> Sequence[DirectionForecast | VolatilityForecast]:
        """Return the forecasts of windows of any mix of symbols: rows (n,) of this fleet."""
        chunks = np.split(np.arange(len(rows)), range(_AT_ONCE, len(rows), _AT_ONCE))
        parts = [self.predictor.forecast_windows(windows.take(chunk), rows[chunk]) for chunk in chunks]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        basis: list[Basis] = ["own" if row < len(self.position) else "pooled" for row in rows.tolist()]
        return self._directions(columns, basis) if self.kind == "direction" else self._volatilities(columns, basis)

    def row(self, symbol: str) -> int:
        """Return a symbol's row; that of symbols that were not fitted for one that is unknown."""
        return self.position.get(symbol, len(self.position))

    def knows(self, symbol: str, unseen: bool) -> bool:
        """Whether a symbol can be forecast: fitted, or ``unseen`` ones are wanted and the symbols share a model."""
        return symbol in self.position or (unseen and self.predictor.forecasts_unseen)

    def _directions(self, columns: Columns, basis: Sequence[Basis]) -> list[DirectionForecast]:
        part = self.predictor.config.direction
        chances = np.stack([columns[name] for name in CLASSES], axis=1).tolist()
        members = np.stack([columns[f"in_set_{name}"] for name in CLASSES], axis=1).tolist()
        out = []
        for chance, member, own in zip(chances, members, basis, strict=True):
            likeliest = max(range(3), key=chance.__getitem__)
            label_set = tuple(name for name, inside in zip(CLASSES, member, strict=True) if inside)
            out.append(
                DirectionForecast(
                    cast(Any, CLASSES[likeliest]),
                    chance[likeliest],
                    Probabilities(*chance),
                    label_set,
                    part.conformal_level,
                    part.horizon,
                    self.version,
                    own,
                )
            )
        return out

    def _volatilities(self, columns: Columns, basis: Sequence[Basis]) -> list[VolatilityForecast]:
        part, fallback = self.predictor.config.volatility, columns["fallback"].tolist()
        ends = (columns[f"volatility{end}"].tolist() for end in ("", "_low", "_high"))
        return [
            VolatilityForecast(middle, low, high, part.interval_level, part.horizon, self.version, own, no_ensemble)
            for middle, low, high, own, no_ensemble in zip(*ends, basis, fallback, strict=True)
        ]


def resolve_versions(manager: ModelManager, alias: str) -> dict[Kind, str]:
    """Return the version that an alias (or a version's name, or ``latest``) means for each kind that has one.

    Raises
    ------
    ModelError
        No kind has it.
    """
    found: dict[Kind, str] = {}
    reasons = []
    for kind in KINDS:
        try:
            found[kind] = manager.resolve(kind, alias)
        except ModelError as error:
            reasons.append(str(error))
    if not found:
        raise ModelError(reasons[0] if len(set(reasons)) == 1 else " ".join(reasons))
    return found


def open_fleet(manager: ModelManager, kind: Kind, version: str, only: Container[str] | None = None) -> Fleet:
    """Load a version's models, of all its symbols or of some.

    Raises
    ------
    ModelError
        A file is missing or corrupt, of another schema, or it holds none of the symbols.
    """
    manifest = manager.manifest(kind, version)
    predictor = manager.load_fleet(kind, version, only)
    notes = manifest.notes if isinstance(manifest.notes, dict) else {}
    return Fleet(
        kind=kind,
        version=manifest.version,
        created=manifest.created,
        metrics=manifest.metrics,
        predictor=predictor,
        position={symbol: i for i, symbol in enumerate(predictor.symbols)},
        everyone=frozenset(manager.roster(kind, manifest.version).symbols()),
        periods=notes.get("periods") or {},
    )

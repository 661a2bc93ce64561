"""What a forecast knew of the alternative data that its models read: ages, numbers of texts, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from configs.feature_groups import AlternativeGroup, group_of_column
from features.alternative.groups import AGE, sources_of

SESSIONS = 5  # of the window whose texts are counted

_Source = tuple[str, AlternativeGroup, list[int]]


@dataclass(frozen=True, slots=True)
class KnownSource:
    """One source of alternative data that a model reads, such as ``options_iv30`` or ``sentiment_news``.

    ``known`` is whether the forecast had any value of it; without, its features count as missing. ``age_days`` is the
    time from its newest value's publication to the close of the forecast's bar, None where not known and for events,
    which lie ahead. ``texts`` is the number of texts of the last five sessions and ``tone`` their mean score in
    −1 … 1; None for other sources.
    """

    name: str
    group: AlternativeGroup
    known: bool
    age_days: float | None = None
    texts: int | None = None
    tone: float | None = None


def known_sources(names: Sequence[str], features: npt.NDArray[np.float32]) -> list[tuple[KnownSource, ...]]:
    """Return the sources among a model's columns ``names`` (F,) at each of some bars, from ``features`` (n, F)."""
    found, place = _sources(tuple(names))
    if not found:
        return [()] * len(features)

    def value(row: npt.NDArray[np.float32], column: str) -> float | None:
        position = place.get(column)
        return float(row[position]) if position is not None and np.isfinite(row[position]) else None

    def source_at(row: npt.NDArray[np.float32], name: str, group: AlternativeGroup, columns: list[int]) -> KnownSource:
        age, count, tone = (value(row, f"{name}_{end}") for end in (AGE, f"count_{SESSIONS}", f"tone_{SESSIONS}"))
        return KnownSource(
            name,
            group,
            bool(np.isfinite(row[columns]).any()),
            None if age is None else round(age, 3),
            None if count is None else round(np.expm1(count)),
            None if tone is None else round(tone, 3),
        )

    return [tuple(source_at(row, *one) for one in found) for row in features]


@lru_cache(maxsize=64)  # every request asks it of the few models that are served
def _sources(names: tuple[str, ...]) -> tuple[tuple[_Source, ...], Mapping[str, int]]:
    """Return each source with its group and columns, and the position of each column."""
    found = list[_Source]()
    for source, columns in sources_of(names).items():
        group = group_of_column(names[columns[0]])
        assert group is not None
        found.append((source, group, columns))
    return tuple(found), {name: position for position, name in enumerate(names)}


def each_once(sources: Iterable[KnownSource]) -> tuple[KnownSource, ...]:
    """Return each source once, by its name."""
    return tuple({source.name: source for source in sources}.values())

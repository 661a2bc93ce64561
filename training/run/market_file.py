"""The file of a run with the inputs that all symbols' features share: universe table and market context."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.context import MarketContext
from features.store.store import Store
from features.universe import UniverseTable
from training.run.named_files import read_named, write_named


def write_market(store: Store, universe: UniverseTable, context: MarketContext | None) -> str:
    """Write both tables, and return the file's name, which contains a hash of its content."""
    arrays = {f"universe|{key}": np.ascontiguousarray(value) for key, value in universe.to_arrays().items()}
    if context is not None:
        arrays |= {f"context|{key}": np.ascontiguousarray(value) for key, value in context.to_arrays().items()}
    return write_named(store, "runs/market", arrays)


def read_market(store: Store, name: str) -> tuple[UniverseTable, MarketContext | None]:
    """Return the universe table and market context that :func:`write_market` wrote; see :func:`.read_named`."""
    parts: dict[str, dict[str, npt.NDArray[Any]]] = {"universe": {}, "context": {}}
    for key, value in read_named(store, name).items():
        section, _, rest = key.partition("|")
        parts[section][rest] = value
    context = MarketContext.from_arrays(parts["context"]) if parts["context"] else None
    return UniverseTable.from_arrays(parts["universe"]), context

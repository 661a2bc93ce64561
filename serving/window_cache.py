"""Stores the newest windows, so that the next server or replica with the same bars starts without featurising them.

Featurising takes 2 to 3 ms per symbol (2,500 bars, 132 features): over ten seconds for a shard of 5,000.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Set
from dataclasses import astuple
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from configs.errors import StoreError
from configs.load import config_hash
from features.bars.period import BarPeriod
from features.context import MarketContext
from features.panel import Panel
from features.universe import UniverseFacts, UniverseTable
from serving.latest_windows import FeatureRecipe, LatestWindows
from serving.newest_bars import NewestBars
from training.registry.provenance import code_hash, library_versions

FOLDER = "tails"  # in existing stores
_LIBRARIES = ("numpy", "scipy", "pandas", "TA-Lib", "exchange-calendars")
_RETENTION_S = 600.0  # servers that follow the lake have changed over by then
_SERIES = ("dates", "close", "variance", "ewma_vol")

_log = logging.getLogger(__name__)

Arrays = Mapping[str, npt.NDArray[Any]]


class WindowCache:
    """The stored windows of one recipe, symbols and bars; the file name is a hash of all that determines the content.

    The arrays are written first, then a JSON file with its own name, their SHA-256 and its own. Files that do not match
    them count as missing and are written again.
    """

    def __init__(self, recipe: FeatureRecipe, length: int, symbols: Set[str], bars: NewestBars, stamp: str) -> None:
        self._recipe, self._symbols = recipe, frozenset(symbols)
        self._bars, self._stamp, self._store = bars, stamp, bars.store
        identity = config_hash(
            [recipe.config.model_dump(mode="json"), recipe.feature_names, recipe.universe.lag, sorted(recipe.members)],
            [length, sorted(symbols), bars.symbols, bars.history_bars],
            [library_versions(_LIBRARIES), code_hash("serving.window_cache")],
        )
        self._prefix = f"{config_hash(stamp)}-"
        self._path = f"{FOLDER}/{self._prefix}{identity}"

    def read(self) -> LatestWindows | None:
        """Return the windows and set ``missing`` of the bars; None if nothing valid is stored."""
        try:
            facts = self._store.read_json(f"{self._path}.json")
            data = self._store.read(f"{self._path}.safetensors")
            if (facts["path"], facts["arrays"]) != (self._path, hashlib.sha256(data).hexdigest()):
                return None
            windows = _from_arrays(self._recipe, self._symbols, facts, load(data))
            self._bars.missing = dict(facts["missing"])
        except (FileNotFoundError, StoreError, SafetensorError, KeyError, TypeError, ValueError):
            return None
        return windows

    def write(self, windows: LatestWindows) -> None:
        """Store the windows; a store that cannot be written only costs the next server time.

        Nothing is stored if bars changed while they were read, or if a source other than the lake lacked symbols: it
        may have them the next time.
        """
        complete = self._bars.name == "lake" or not self._bars.missing
        if not complete or self._bars.stamp() != self._stamp:
            return
        facts, arrays = _to_arrays(windows)
        data = save(arrays)
        try:
            self._store.write(f"{self._path}.safetensors", data)
            digest = hashlib.sha256(data).hexdigest()
            facts |= {"path": self._path, "arrays": digest, "missing": self._bars.missing}
            self._store.write_json(f"{self._path}.json", facts)
            self._prune()
        except (StoreError, OSError) as error:
            _log.warning("newest windows are not stored for the next server: %s", error)

    def _prune(self) -> None:
        """Delete old files of other bars."""
        for name in self._store.names(FOLDER):
            path = f"{FOLDER}/{name}"
            changed = None if name.startswith(self._prefix) else self._store.changed_ns(path)
            if changed is not None and time.time() - changed / 1e9 > _RETENTION_S:
                self._store.delete(path)


def _to_arrays(windows: LatestWindows) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return windows as JSON values and arrays."""
    history, universe, context = windows.history, windows.history.universe, windows.context
    facts = {
        "symbols": list(history.symbols),
        "periods": [astuple(period) for period in history.periods],
        "warmup": history.warmup,
        "universe": None if universe is None else [universe.members, universe.lag],
        "note": windows.note,
        "context": context is not None,
    }
    arrays: dict[str, npt.NDArray[Any]] = {"features": windows.features, "offsets": history.offsets}
    arrays |= {f"history.{name}": getattr(history, name) for name in _SERIES}
    arrays["history.dates"] = history.dates.astype("datetime64[ns]").astype(np.int64)
    arrays |= {f"table.{name}": values for name, values in windows.table.to_arrays().items()}
    if context is not None:
        arrays |= {f"context.{name}": values for name, values in context.to_arrays().items()}
    return facts, {name: np.ascontiguousarray(values) for name, values in arrays.items()}


def _from_arrays(
    recipe: FeatureRecipe, symbols: frozenset[str], facts: Mapping[str, Any], arrays: Arrays
) -> LatestWindows:
    """Invert :func:`_to_arrays`."""
    universe = facts["universe"]
    series = {name: arrays[f"history.{name}"] for name in _SERIES}
    series["dates"] = series["dates"].view("datetime64[ns]")
    history = Panel(
        symbols=tuple(facts["symbols"]),
        feature_names=(),
        offsets=arrays["offsets"],
        features=np.empty((len(series["dates"]), 0), np.float32),
        periods=tuple(BarPeriod(*values) for values in facts["periods"]),
        warmup=facts["warmup"],
        universe=None if universe is None else UniverseFacts(*universe),
        market_wide={},
        **series,
    )
    table = UniverseTable.from_arrays(_with_prefix("table.", arrays))
    context = MarketContext.from_arrays(_with_prefix("context.", arrays)) if facts["context"] else None
    return LatestWindows(recipe, symbols, arrays["features"], history, table, context, facts["note"])


def _with_prefix(prefix: str, arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}

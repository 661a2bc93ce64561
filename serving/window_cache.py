"""Kept tails: what one server featurised lies in the store, so that the next ones need not read a bar to get ready."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from configs.errors import StoreError
from configs.load import config_hash
from features.context import MarketContext
from features.panel import Panel
from features.universe import UniverseFacts, UniverseTable
from serving.latest_windows import LatestWindows, Recipe
from serving.market import Market
from training.registry.provenance import code_hash, library_versions

FOLDER = "tails"
_LIBRARIES = ("numpy", "scipy", "pandas", "TA-Lib", "exchange-calendars")
_GRACE_S = 600.0  # servers that follow the lake have changed over by then
_SERIES = ("dates", "close", "variance", "ewma_vol")

_log = logging.getLogger("fleetcast.serving")

Arrays = Mapping[str, npt.NDArray[Any]]


class WindowCache:
    """The file of one recipe's tails of these bars; whatever it is named by decides what is in it.

    A file of arrays is written first, then one of JSON with its SHA-256: what does not fit together counts as missing.
    """

    def __init__(self, recipe: Recipe, window: int, wanted: Set[str], market: Market, stamp: str) -> None:
        self._recipe, self._window, self._wanted = recipe, window, frozenset(wanted)
        self._market, self._stamp, self._store = market, stamp, market.store
        identity = config_hash(
            [recipe.config.model_dump(mode="json"), recipe.feature_names, recipe.universe.members, recipe.universe.lag],
            [window, sorted(wanted), market.symbols, market.history_bars],
            [library_versions(_LIBRARIES), code_hash("serving.window_cache")],
        )
        self._prefix = f"{config_hash(stamp)}-"
        self._path = f"{FOLDER}/{self._prefix}{identity}"

    def read(self) -> LatestWindows | None:
        """Return the tails and tell the market which symbols have no bars; None where they were not kept."""
        try:
            facts = self._store.read_json(f"{self._path}.json")
            data = self._store.read(f"{self._path}.safetensors")
            if hashlib.sha256(data).hexdigest() != facts["sha256"]:
                return None
            tails = _tails(self._recipe, self._wanted, facts, load(data))
            self._market.missing = dict(facts["missing"])
        except (FileNotFoundError, StoreError, SafetensorError, KeyError, TypeError, ValueError):
            return None
        return tails

    def write(self, tails: LatestWindows) -> None:
        """Keep the tails; a store that cannot be written costs only time, later.

        What was read while bars changed is not kept, nor what a source refused for the moment: it may come the next
        time.
        """
        lasting = self._market.name == "lake" or not self._market.missing
        if not lasting or self._market.stamp() != self._stamp:
            return
        facts, arrays = _plain(tails)
        data = save(arrays)
        try:
            self._store.write(f"{self._path}.safetensors", data)
            digest = hashlib.sha256(data).hexdigest()
            self._store.write_json(f"{self._path}.json", facts | {"sha256": digest, "missing": self._market.missing})
            self._prune()
        except (StoreError, OSError) as error:
            _log.warning("newest windows are not kept for the next server: %s", error)

    def _prune(self) -> None:
        """Delete what was kept of other bars some time ago: they do not come back."""
        old = [name for name in self._store.names(FOLDER) if not name.startswith(self._prefix)]
        for name in old:
            path = f"{FOLDER}/{name}"
            changed = self._store.changed_ns(path)
            if changed is not None and time.time() - changed / 1e9 > _GRACE_S:
                self._store.delete(path)


def _plain(tails: LatestWindows) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return tails as JSON and arrays."""
    history, universe, context = tails.history, tails.history.universe, tails.context
    facts = {
        "symbols": list(history.symbols),
        "warmup": history.warmup,
        "universe": None if universe is None else [universe.members, universe.lag],
        "note": tails.note,
        "context": context is not None,
    }
    arrays: dict[str, npt.NDArray[Any]] = {"features": tails.features, "offsets": history.offsets}
    arrays |= {f"history.{name}": getattr(history, name) for name in _SERIES}
    arrays["history.dates"] = history.dates.astype("datetime64[ns]").astype(np.int64)
    arrays |= {f"table.{name}": values for name, values in tails.table.to_arrays().items()}
    if context is not None:
        arrays |= {f"context.{name}": values for name, values in context.to_arrays().items()}
    return facts, {name: np.ascontiguousarray(values) for name, values in arrays.items()}


def _tails(recipe: Recipe, wanted: frozenset[str], facts: Mapping[str, Any], arrays: Arrays) -> LatestWindows:
    """Invert :func:`_plain`."""
    universe = facts["universe"]
    series = {name: arrays[f"history.{name}"] for name in _SERIES}
    series["dates"] = series["dates"].view("datetime64[ns]")
    history = Panel(
        symbols=tuple(facts["symbols"]),
        feature_names=(),
        offsets=arrays["offsets"],
        features=np.empty((len(series["dates"]), 0), np.float32),
        warmup=facts["warmup"],
        universe=None if universe is None else UniverseFacts(*universe),
        **series,
    )
    table = UniverseTable.from_arrays(_below("table.", arrays))
    context = MarketContext.from_arrays(_below("context.", arrays)) if facts["context"] else None
    return LatestWindows(recipe, wanted, arrays["features"], history, table, context, facts["note"])


def _below(prefix: str, arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}

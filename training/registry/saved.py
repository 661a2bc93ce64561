"""Models that users save: one symbol's, under a name and a version that they choose.

``saved/<name>/<version>.*`` are the files of one block. Versions of training runs (``models/``) are untouched, so
saving changes nothing that is served.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import ModelError, UnreadableError, shown
from features.store.store import Store, encode_symbol
from training.registry.block_files import read_index
from training.registry.block_index import INDEX
from training.registry.blocks import Block, read_block, write_block
from training.registry.model_names import LATEST, parse_model_name

if TYPE_CHECKING:
    from training.predictors import BarsPredictor

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED = (LATEST, "champion", "previous")
_UNNAMED = "SYMBOL"  # of bars that name no symbol
_SAVED = "saved"


def save(store: Store, predictor: BarsPredictor, name: str, version: str, overwrite: bool) -> str:
    """Store one symbol's model and return its version; see :meth:`.ModelManager.save_model`."""
    kind, symbol = parse_model_name(name)
    if not isinstance(version, str) or not _VERSION.fullmatch(version) or version in _RESERVED:
        raise ModelError(
            f"version {shown(version)} cannot be the name of a saved model; expected letters, digits, '.', '_' and "
            f"'-', such as v1.0, and none of {', '.join(_RESERVED)}."
        )
    if getattr(predictor, "kind", None) != kind or not getattr(predictor, "symbols", ()):
        what = f"a {type(predictor).__name__}"
        what += "" if getattr(predictor, "symbols", ()) else " that is not fitted"
        raise ModelError(f"{name!r} is the name of a {kind} model, and {what} is given. Fit a {kind} predictor.")
    if predictor.own_features:
        raise ModelError(
            "a model of features that bars do not give cannot be saved: they could not be computed after loading it. "
            "Fit it on bars, or on what engineer_features returned."
        )
    known = _symbol_of(predictor, symbol)
    one = type(predictor).from_state(predictor.symbols, predictor.to_arrays(), predictor.meta(), (known,))
    block = Block(kind, (symbol.upper() if known == _UNNAMED else known,), one.to_arrays(), one.meta())
    prefix = _prefix(name, version)
    with store.lock(_folder(name)):
        if store.exists(prefix + INDEX) and not overwrite:
            if _equal(read_block(store, prefix), block):
                return version
            raise ModelError(f"{name} {version} exists and differs. Choose another version, or overwrite=True.")
        saved = _time_after_all(store, name).isoformat()
        write_block(store, prefix, Block(**{**vars(block), "metrics": {"saved": saved}}))
    return version


def saved_versions(store: Store, name: str) -> dict[str, datetime]:
    """Return the versions saved under a model's name and when, oldest first."""
    found = [file.removesuffix(INDEX) for file in store.names(_folder(name)) if file.endswith(INDEX)]
    indices = {version: read_index(store, _prefix(name, version)) for version in found}
    times = {version: datetime.fromisoformat(index.metrics["saved"]) for version, index in indices.items()}
    return dict(sorted(times.items(), key=lambda item: item[1]))


def _time_after_all(store: Store, name: str) -> datetime:
    """Return the time, or one after all that are saved: the model saved last is the latest, whatever the clock says."""
    found = [datetime.now(UTC)]
    for file in store.names(_folder(name)):
        with suppress(UnreadableError):  # perhaps the one that this replaces
            index = read_index(store, _prefix(name, file.removesuffix(INDEX))) if file.endswith(INDEX) else None
            found += [datetime.fromisoformat(index.metrics["saved"]) + timedelta(microseconds=1)] if index else []
    return max(found)


def load(store: Store, name: str, version: str) -> Block:
    """Return a saved model's block; ``ModelError`` if it does not exist or is damaged."""
    return read_block(store, _prefix(name, version))


def _symbol_of(predictor: BarsPredictor, symbol: str) -> str:
    """Return the predictor's symbol that a model's name means."""
    found = [known for known in predictor.symbols if known.casefold() == symbol.casefold()]
    if found:
        return found[0]
    if predictor.symbols == (_UNNAMED,):
        return _UNNAMED
    shown = ", ".join(predictor.symbols[:5])
    raise ModelError(f"the model's name says {symbol!r}, and the predictor holds {shown}. Name one of them.")


def _folder(name: str) -> str:
    return f"{_SAVED}/{encode_symbol(name.casefold().upper())}"


def _prefix(name: str, version: str) -> str:
    return f"{_folder(name)}/{version}"


def _equal(old: Block, new: Block) -> bool:
    same: Mapping[str, bool] = {
        name: np.array_equal(values, new.arrays.get(name, np.empty(0)), equal_nan=values.dtype.kind == "f")
        for name, values in old.arrays.items()
    }
    return old.symbols == new.symbols and set(old.arrays) == set(new.arrays) and all(same.values())

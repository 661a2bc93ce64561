"""Some arrays of a block, without reading the others."""

from __future__ import annotations

import json
from typing import Any

import numpy.typing as npt
from pyarrow import NativeFile
from safetensors import SafetensorError
from safetensors.numpy import load

from configs.errors import ModelError
from features.store.store import Store
from training.registry.block_index import ARRAYS

_LENGTH = 8  # bytes of a safetensors file that say how long its header is


def read_arrays(store: Store, prefix: str, beginning: str) -> dict[str, npt.NDArray[Any]]:
    """Return a block's arrays whose names have this beginning, by name without it; only their bytes are read.

    The SHA-256 of a file cannot be checked by a part of it: whoever relies on the arrays verifies the block as well.

    Raises
    ------
    ModelError
        The file is missing, or is no safetensors file.
    """
    path = store.path(prefix + ARRAYS)
    try:
        with store.open(prefix + ARRAYS) as file:
            chosen = load(_part(file, beginning))
    except FileNotFoundError as error:
        raise ModelError(f"{path!r} is missing. Restore it from a copy, or train again.") from error
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path!r} is not a safetensors file ({error}). Restore it from a copy, or train again."
        ) from error
    return {name.removeprefix(beginning): chosen[name] for name in sorted(chosen)}


def _part(file: NativeFile, beginning: str) -> bytes:
    """Return a safetensors file of some of this one's arrays, for the library to check and parse."""
    length = int.from_bytes(file.read_at(_LENGTH, 0), "little")
    if _LENGTH + length > file.size():
        raise ValueError(f"a header of {length} bytes in a file of {file.size()}")
    header = json.loads(file.read_at(length, _LENGTH))
    named = [(name, facts) for name, facts in header.items() if name.startswith(beginning)]
    parts: list[bytes] = []
    stop = 0
    for _, facts in sorted(named, key=lambda one: one[1]["data_offsets"]):
        first, last = facts["data_offsets"]
        if not 0 <= first <= last <= file.size() - _LENGTH - length:
            raise ValueError(f"an array from byte {first} to {last} in a file of {file.size()}")
        parts.append(file.read_at(last - first, _LENGTH + length + first))
        facts["data_offsets"] = [stop, stop + last - first]
        stop += last - first
    text = json.dumps(dict(named)).encode()
    return b"".join([len(text).to_bytes(_LENGTH, "little"), text, *parts])

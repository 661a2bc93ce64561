"""Files of arrays, named after their SHA-256: equal arrays are stored once, and damage is recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from configs.errors import StoreError
from features.store.store import Store


def write_named(store: Store, folder: str, arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Write arrays, unless a file has them, and return the file's name."""
    data = save(dict(arrays))
    name = _name(folder, data)
    if not store.exists(name):
        store.write(name, data)
    return name


def read_named(store: Store, name: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of :func:`write_named`.

    Raises
    ------
    StoreError
        The file is missing or damaged; a damaged file is deleted, so that the next run writes it again.
    """
    try:
        data = store.read(name)
        if _name(name.rpartition("/")[0], data) != name:
            raise ValueError("its content differs from the SHA-256 in its name")
        return dict(load(data))
    except (FileNotFoundError, SafetensorError, ValueError, KeyError) as error:
        store.delete(name)
        raise StoreError(f"{store.path(name)!r} cannot be read ({error}). Run the same command again.") from error


def _name(folder: str, data: bytes) -> str:
    return f"{folder}/{hashlib.sha256(data).hexdigest()[:12]}.safetensors"

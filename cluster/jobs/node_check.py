"""The facts of one node: versions, devices, clock, and whether it reaches the store."""

from __future__ import annotations

import os
import platform
import shutil
import time
import uuid
from typing import Any

from cluster.jobs.packaging import PACKAGES
from configs.errors import DiskFullError, FleetcastError

_LIBRARIES = ("numpy", "pandas", "pyarrow", "keras", "tensorflow", "arch", "scikit-learn", "TA-Lib", "optuna", "ray")


def examine(store: str, devices: bool = True) -> dict[str, Any]:
    """Return the facts of the node that this runs on, as JSON-able values.

    ``devices`` loads TensorFlow to list GPUs, which takes seconds. ``store`` in the result is the problem with the
    store, or empty; ``disk_full`` is whether that is its full disk.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from training.registry.provenance import code_hash, library_versions

    problem, disk_full = probe(store)
    return {
        "python": platform.python_version(),
        "libraries": library_versions(_LIBRARIES),
        "code": code_hash(*PACKAGES),
        "clock": time.time(),
        "gpus": _gpus() if devices else [],
        "store": problem,
        "disk_full": disk_full,
    }


def probe(uri: str) -> tuple[str, bool]:
    """Write a file to a store, read it and delete it; return the problem, or an empty text, and if a disk is full.

    A local store that does not exist is not made: then only the rights to make it are checked.
    """
    from features.store.store import Store

    name, data = f"probes/{uuid.uuid4().hex}", b"fleetcast doctor"
    try:
        store = Store(uri)
        if is_missing(uri):
            parent = _existing_parent(store.root)
            is_writable = os.access(parent, os.W_OK | os.X_OK)
            return "" if is_writable else f"cannot make {uri!r}: {parent!r} is not writable", False
        store.write(name, data)
        same = store.read(name) == data
        store.delete(name)
    except (FleetcastError, OSError) as error:
        return " ".join(str(error).split()), isinstance(error, DiskFullError)
    return "" if same else f"a file in {uri!r} has other bytes when it is read than were written", False


def is_missing(uri: str) -> bool:
    """Whether a store is a local folder that does not exist."""
    from features.store.store import Store

    store = Store(uri)
    return store.is_local and not os.path.isdir(store.root)


def free_gib(path: str) -> float:
    """Return the free space, in GiB, of the disk that a local path is on; the path need not exist."""
    return shutil.disk_usage(_existing_parent(path)).free / 2**30


def _existing_parent(path: str) -> str:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def _gpus() -> list[str]:
    from training.models.fleet.quick_import import collecting_later

    try:
        with collecting_later():
            import tensorflow as tf
    except ImportError as error:
        return [f"TensorFlow cannot be loaded: {error}"]
    return [device.name for device in tf.config.list_physical_devices("GPU")]

"""What one node says of itself: versions, devices, and whether it reaches the store."""

from __future__ import annotations

import os
import platform
import shutil
import time
import uuid
from typing import Any

from cluster.jobs.packaging import PACKAGES
from configs.errors import FleetcastError

_LIBRARIES = ("numpy", "pandas", "pyarrow", "keras", "tensorflow", "arch", "scikit-learn", "TA-Lib", "optuna", "ray")


def examine(store: str, devices: bool = True) -> dict[str, Any]:
    """Return a node's facts as JSON; loading TensorFlow to see its devices takes seconds.

    ``store`` in the result is empty, or says why a file cannot be written there and read again.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from training.registry.provenance import code_hash, library_versions

    return {
        "python": platform.python_version(),
        "libraries": library_versions(_LIBRARIES),
        "code": code_hash(*PACKAGES),
        "clock": time.time(),
        "gpus": _gpus() if devices else [],
        "store": probe(store),
    }


def probe(uri: str) -> str:
    """Write a file to a store, read it and delete it; return what went wrong, or nothing."""
    from features.store.store import Store

    name, data = f"probes/{uuid.uuid4().hex}", b"fleetcast doctor"
    try:
        store = Store(uri)
        store.write(name, data)
        same = store.read(name) == data
        store.delete(name)
    except (FleetcastError, OSError) as error:
        return " ".join(str(error).split())
    return "" if same else f"a file in {uri!r} is not read as it was written"


def free_gib(path: str) -> float:
    """Return the space that is free where a local store is, or will be."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free / 2**30


def _gpus() -> list[str]:
    from training.models.fleet.quick_import import collecting_later

    try:
        with collecting_later():
            import tensorflow as tf
    except ImportError as error:
        return [f"TensorFlow cannot be loaded: {error}"]
    return [device.name for device in tf.config.list_physical_devices("GPU")]

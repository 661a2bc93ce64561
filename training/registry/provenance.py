"""What made a file: versions of libraries, and the code of this project."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from configs.load import config_hash

_LIBRARIES = ("fleetcast", "numpy", "keras", "tensorflow", "arch", "scikit-learn", "TA-Lib", "ray")


def library_versions(names: Iterable[str] = _LIBRARIES) -> dict[str, str]:
    """Return the installed version of each of these packages that is installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code_hash(*packages: str) -> str:
    """Return a hash of these packages' code, so that what an older Fleetcast made is not mistaken for this one's."""
    root = Path(__file__).parents[2]
    files = sorted(path for name in packages for path in (root / name).rglob("*.py"))
    return config_hash([(str(path.relative_to(root)), path.read_text(encoding="utf-8")) for path in files])

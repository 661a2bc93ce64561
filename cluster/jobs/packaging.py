"""The files that a submitted job ships: this project's code and a configuration file; never data, stores or keys."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from configs.errors import ConfigError

PACKAGES = ("cluster", "serving", "tuning", "training", "features", "configs")
CONFIG_FILE = "job.yaml"
_SUFFIXES = frozenset({".py", ".yaml", ".html", ".js", ".css", ".json", ".csv"})
_MAX_BYTES = 5 * 2**20
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Package:
    """A folder to ship, the ``digest`` of its files, and their number and size in bytes."""

    folder: str
    digest: str
    files: int
    size: int


@contextmanager
def packed(working_dir: str | None, with_code: bool, config: str | None) -> Iterator[Package]:
    """Yield a temporary folder with the files of a job.

    Parameters
    ----------
    working_dir
        A checkout to take the packages from; by default the running code.
    with_code
        Whether to ship the packages; without them, the cluster's image must have the code.
    config
        A configuration file, shipped as ``job.yaml``.

    Raises
    ------
    ConfigError
        The folder lacks a package, a file cannot be read, or the files are too large.
    """
    with tempfile.TemporaryDirectory(prefix="fleetcast-job-") as folder:
        if with_code:
            _copy_code(Path(working_dir or _ROOT).expanduser().resolve(), Path(folder))
        if config is not None:
            try:
                shutil.copyfile(config, Path(folder) / CONFIG_FILE)
            except OSError as error:
                raise ConfigError(f"--config {config!r} cannot be read: {error}. Check the path.") from error
        yield _measure(Path(folder))


def _copy_code(root: Path, folder: Path) -> None:
    missing = [name for name in PACKAGES if not (root / name / "__init__.py").is_file()]
    if missing:
        raise ConfigError(
            f"--working-dir {str(root)!r} has no package {', '.join(missing)}. Give a checkout of Fleetcast, or "
            "--image-has-code if the cluster's image has it."
        )
    for path in sorted(path for name in PACKAGES for path in _sources(root / name)):
        target = folder / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _sources(package: Path) -> Iterator[Path]:
    """Yield the files of code below a folder, without hidden files, links and other file types."""
    for place, folders, names in os.walk(package):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(names):
            path = Path(place) / name
            if path.suffix in _SUFFIXES and not name.startswith(".") and not path.is_symlink():
                yield path


def _measure(folder: Path) -> Package:
    digest, sizes = hashlib.sha256(), {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data, name = path.read_bytes(), str(path.relative_to(folder))
        sizes[name] = len(data)
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    total = sum(sizes.values())
    if total > _MAX_BYTES:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
        raise ConfigError(
            f"the job's files take {total / 2**20:.1f} MiB; at most {_MAX_BYTES / 2**20:.0f} MiB of code are shipped "
            f"(largest: {', '.join(largest)}). Keep data out of the packages."
        )
    return Package(str(folder), digest.hexdigest()[:12], len(sizes), total)

"""Watch the store of a training: finished blocks never change, and versions are complete when they become visible."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import NamedTuple

from configs.errors import FleetcastError
from features.store.store import Store
from training.registry.manager import ModelManager

_LOOK_S = 0.05
_KINDS = ("direction", "volatility")


class Seen(NamedTuple):
    """The files of a finished block (name, inode, time of change), and a hash of their content."""

    files: tuple[tuple[str, int, int], ...]
    digest: str


class StoreWatch:
    """Counts ``lost`` finished blocks (deleted or changed), those ``trained_twice`` (equal bytes written again), and
    ``half_versions``, which were visible but could not be read completely at that moment.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lost = self.trained_twice = self.half_versions = 0
        self.blocks: dict[str, Seen] = {}
        self._complete: set[tuple[str, str]] = set()
        self._models = ModelManager(Store(folder))
        self._error: Exception | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look a last time and stop; an error that has stopped the watch before is raised."""
        self._end.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        self._look()

    def hashes(self) -> dict[str, list[str]]:
        """Return the SHA-256 of the block indexes of each kind's newest version, which hold those of all files."""
        return {
            kind: [block.index for block in manifest.blocks]
            for kind in _KINDS
            if (manifest := self._models.manifest(kind, "latest"))
        }

    @property
    def is_published(self) -> bool:
        """Whether each kind has a version."""
        return all(self._models.versions(kind) for kind in _KINDS)

    def _run(self) -> None:
        try:
            while not self._end.wait(_LOOK_S):
                self._look()
        except Exception as error:
            self._error = error

    def _look(self) -> None:
        found = {str(path.relative_to(self.folder).with_suffix("")) for path in self.folder.glob("runs/*-*/*.json")}
        for name in self.blocks.keys() - found:
            self.lost += 1
            del self.blocks[name]
            print(f"  lost: {name}", flush=True)
        for name in found:
            self._look_at_block(name)
        for kind in _KINDS:
            try:
                self._look_at_versions(kind)
            except FleetcastError as error:
                self.half_versions += 1
                print(f"  incomplete version of {kind}: {error}", flush=True)

    def _look_at_block(self, name: str) -> None:
        paths = sorted((self.folder / name).parent.glob(f"{Path(name).name}.*"))
        paths = [path for path in paths if path.suffix != ".tmp"]
        try:
            files = tuple((path.name, (facts := path.stat()).st_ino, facts.st_mtime_ns) for path in paths)
            before = self.blocks.get(name)
            if before is not None and before.files == files:
                return
            digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
        except FileNotFoundError:  # deleted meanwhile: the next look counts it
            return
        if before is not None:
            self.lost += before.digest != digest
            self.trained_twice += before.digest == digest
            print(f"  written again: {name}", flush=True)
        self.blocks[name] = Seen(files, digest)

    def _look_at_versions(self, kind: str) -> None:
        for version in {*self._models.versions(kind), *self._models.aliases(kind).named().values()}:
            if (kind, version) not in self._complete:
                for number in range(len(self._models.manifest(kind, version).blocks)):
                    self._models.load_block(kind, version, number, test=True)
                self._complete.add((kind, version))

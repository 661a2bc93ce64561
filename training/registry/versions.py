"""Which versions of a kind exist, and what each contains."""

from __future__ import annotations

import os

from configs.errors import ModelError, UnreadableError
from features.store.store import Store, open_store
from training.registry import layout
from training.registry.aliases import Aliases, read_aliases
from training.registry.manifest import Manifest, parse_manifest
from training.registry.model_names import LATEST, match_version
from training.registry.roster import Roster
from training.registry.versioned_json import RESTORE


class Versions:
    """The versions in a store, read-only; manifests and rosters are read once.

    Wherever a method takes a ``version`` it may be a version's name, a unique beginning of one, an alias
    (``champion``, ``previous``) or ``latest``; any other is a ``ModelError`` that lists the choices.
    """

    def __init__(self, store: Store | str | os.PathLike[str] | None = None) -> None:
        self.store = open_store(store)
        self._manifests: dict[tuple[str, str], Manifest] = {}
        self._rosters: dict[tuple[str, str], Roster] = {}

    def kinds(self, published: bool = True) -> list[str]:
        """Return the kinds that have a version; ``published=False`` adds those that only have a folder."""
        named = [kind for kind in self.store.names("models") if layout.is_kind(kind)]
        return [kind for kind in named if self.versions(kind)] if published else named

    def versions(self, kind: str) -> list[str]:
        """Return the versions of a kind, oldest first."""
        return layout.published_versions(self.store, kind)

    def latest(self, kind: str) -> str:
        """Return the newest version of a kind."""
        return self.resolve(kind, LATEST)

    def aliases(self, kind: str) -> Aliases:
        """Return the aliases of a kind and their history."""
        return read_aliases(self.store, kind)

    def resolve(self, kind: str, version: str = LATEST) -> str:
        """Return the full name of a version."""
        known = self.versions(kind)
        if not known:
            raise ModelError(f"{self.store.uri!r} holds no {kind} model. Make one with `fleetcast train`.")
        aliases = {} if version == LATEST else self.aliases(kind).named()
        return match_version(version, known, aliases, kind)

    def find(self, version: str, kind: str | None = None) -> tuple[str, str]:
        """Return the kind and the full name of a version whose kind may be unknown.

        Raises
        ------
        ModelError
            No kind has it, or several have and ``kind`` does not say which.
        """
        found = self.find_all(version, kind)
        if len(found) > 1:
            kinds = [candidate for candidate, _ in found]
            raise ModelError(f"{version!r} exists for {' and '.join(kinds)}. Add --kind {kinds[0]} or another of them.")
        return found[0]

    def find_all(self, version: str, kind: str | None = None) -> list[tuple[str, str]]:
        """Return each kind that has a version, and its full name; an alias usually exists for several kinds.

        Raises
        ------
        ModelError
            No kind has it, it is the beginning of several versions of one kind, or a kind's aliases cannot be read.
        """
        if kind is not None:
            return [(kind, self.resolve(kind, version))]
        found, reasons, is_ambiguous = [], [], False
        for candidate in self.kinds():
            try:
                found.append((candidate, self.resolve(candidate, version)))
            except UnreadableError:
                raise
            except ModelError as error:
                reasons.append(str(error))
                is_ambiguous |= bool(version) and any(name.startswith(version) for name in self.versions(candidate))
        if not found or is_ambiguous:
            raise ModelError(
                " ".join(reasons) or f"{self.store.uri!r} holds no model. Make one with `fleetcast train`."
            )
        return found

    def manifest(self, kind: str, version: str = LATEST) -> Manifest:
        """Return the manifest of a version; ``ModelError`` if it is corrupt or of an incompatible schema."""
        name = self.resolve(kind, version)
        if (kind, name) not in self._manifests:
            path = layout.manifest_path(kind, name)
            try:
                found = parse_manifest(self.store.path(path), self.store.read(path))
            except FileNotFoundError as error:
                raise ModelError(f"{kind} {name} was removed meanwhile. Choose another version.") from error
            if (found.kind, found.version) != (kind, name):
                raise UnreadableError(
                    f"{self.store.path(path)!r} is the manifest of {found.kind} {found.version}. {RESTORE}."
                )
            self._manifests[kind, name] = found
        return self._manifests[kind, name]

    def roster(self, kind: str, version: str = LATEST) -> Roster:
        """Return the symbols of a version: where the model of each is, or why it has none."""
        manifest = self.manifest(kind, version)
        key = (kind, manifest.version)
        if key not in self._rosters:
            path = layout.roster_path(*key)
            roster = Roster.read(self.store, path, manifest.roster)
            if len(roster) != manifest.symbols:
                raise UnreadableError(
                    f"{self.store.path(path)!r} names {len(roster)} symbols with a model, and the manifest "
                    f"{manifest.symbols}. {RESTORE}."
                )
            self._rosters[key] = roster
        return self._rosters[key]

    def match_symbol(self, kind: str, version: str, symbol: str) -> str:
        """Return how a version spells a symbol that is given in any case; ``ModelError`` if that is not unambiguous."""
        return self.roster(kind, version).match(symbol, f"{kind} {version}")

"""The registry: versions of fitted models, their aliases, and the way back to a predictor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import ValidationError

from configs.errors import ModelError
from features.store.store import Store, to_bytes
from training.registry import layout, pruning, publishing
from training.registry.aliases import Aliases
from training.registry.blocks import Block, read_block, read_test
from training.registry.manifest import Manifest, parse_manifest, vouched_prefix
from training.registry.model_names import parse_model_name
from training.registry.roster import Reasons, Roster
from training.validation.promotion import TestLosses

if TYPE_CHECKING:
    from training.predictors import BasePredictor

CHAMPION, LATEST = "champion", "latest"
_NAMED = 5


class ModelManager:
    """Publish, name, load and retire versions of models.

    Wherever a method takes a ``version`` it may be a version's name, a unique beginning of one, an alias
    (``champion``, ``previous``) or ``latest``; one that does not exist is a ``ModelError`` that names those that do.

    Parameters
    ----------
    store
        A :class:`~features.store.store.Store`, or the path or URI of one. Every change holds a lock that is per kind,
        and aliases are replaced only over what was read.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from configs import load_config
    >>> from training import ModelTrainer
    >>> trainer = ModelTrainer(load_config("smoke"), store=mkdtemp())
    >>> _ = trainer.train_multi_asset_models(["AAPL", "IBM"], ["volatility"])
    >>> manager = ModelManager(trainer.store)
    >>> predictor = manager.load_model("volatility_ibm", version="champion")
    >>> predictor.kind, predictor.symbols
    ('volatility', ('IBM',))
    """

    def __init__(self, store: Store | str | os.PathLike[str]) -> None:
        self.store = store if isinstance(store, Store) else Store(store)
        self._manifests: dict[tuple[str, str], Manifest] = {}
        self._rosters: dict[tuple[str, str], Roster] = {}

    def kinds(self, whole: bool = True) -> list[str]:
        """Return the kinds that have a version; ``whole=False`` adds those that only have a folder."""
        named = [kind for kind in self.store.names("models") if layout.is_kind(kind)]
        return [kind for kind in named if self.versions(kind)] if whole else named

    def versions(self, kind: str) -> list[str]:
        """Return the versions of a kind, oldest first."""
        return layout.published(self.store, kind)

    def latest(self, kind: str) -> str:
        """Return the newest version of a kind."""
        return self.resolve(kind, LATEST)

    def aliases(self, kind: str) -> Aliases:
        """Return the aliases of a kind and how they came about."""
        try:
            return self._parsed(kind, self.store.read(layout.aliases_path(kind)))
        except FileNotFoundError:
            return Aliases()

    def resolve(self, kind: str, version: str = LATEST) -> str:
        """Return the full name of the version that a name, a unique beginning, an alias or ``latest`` means."""
        known = self.versions(kind)
        if not known:
            raise ModelError(f"{self.store.uri!r} holds no {kind} model. Make one with `fleetcast train`.")
        if version == LATEST:
            return known[-1]
        aliases = self.aliases(kind).named()
        found = [v for v in known if v == aliases.get(version, version)]
        if not found and version and version not in aliases:
            found = [v for v in known if v.startswith(version)]
        if len(found) == 1:
            return found[0]
        listed = ", ".join([*aliases, LATEST, *reversed(known[-_NAMED:])])
        older = f" and {len(known) - _NAMED} older" if len(known) > _NAMED else ""
        problem = f"matches {len(found)} versions of" if found else "is no version of"
        if version in aliases:
            problem = f"names {aliases[version]}, which no longer exists, in"
        raise ModelError(f"{version!r} {problem} {kind}. Choose one of: {listed}{older}.")

    def find(self, version: str, kind: str | None = None) -> tuple[str, str]:
        """Return the kind and full name of a version when the kind may be left open.

        Raises
        ------
        ModelError
            No kind has it, or several have and ``kind`` does not say which.
        """
        if kind is not None:
            return kind, self.resolve(kind, version)
        found, reasons = [], []
        for candidate in self.kinds():
            try:
                found.append((candidate, self.resolve(candidate, version)))
            except ModelError as error:
                reasons.append(str(error))
        if len(found) > 1:
            kinds = [candidate for candidate, _ in found]
            raise ModelError(f"{version!r} exists for {' and '.join(kinds)}. Add --kind {kinds[0]} or another of them.")
        if not found:
            raise ModelError(
                " ".join(reasons) or f"{self.store.uri!r} holds no model. Make one with `fleetcast train`."
            )
        return found[0]

    def manifest(self, kind: str, version: str = LATEST) -> Manifest:
        """Return what a version is.

        Raises
        ------
        ModelError
            The version does not exist, or its manifest is corrupt or of an incompatible schema.
        """
        name = self.resolve(kind, version)
        if (kind, name) not in self._manifests:
            path = layout.manifest_path(kind, name)
            try:
                self._manifests[kind, name] = parse_manifest(self.store.path(path), self.store.read(path))
            except FileNotFoundError as error:
                raise ModelError(f"{kind} {name} was removed meanwhile. Choose another version.") from error
        return self._manifests[kind, name]

    def roster(self, kind: str, version: str = LATEST) -> Roster:
        """Return a version's symbols: where the model of each is, or why it has none.

        Raises
        ------
        ModelError
            The version does not exist, or a file of it is corrupt.
        """
        manifest = self.manifest(kind, version)
        key = (kind, manifest.version)
        if key not in self._rosters:
            self._rosters[key] = Roster.read(self.store, layout.roster_path(*key), manifest.roster)
        return self._rosters[key]

    def publish(
        self, kind: str, blocks: Sequence[str], manifest_extra: Mapping[str, Any], reasons: Reasons | None = None
    ) -> publishing.ModelVersion:
        """Make a version of blocks that a run has written to this store; it appears whole or not at all.

        Publishing the same configuration, data and blocks again returns the version that holds them.

        Parameters
        ----------
        kind
            ``"direction"`` or ``"volatility"``.
        blocks
            Prefixes as given to :func:`.write_block`; block *i* of the version is ``blocks[i]``.
        manifest_extra
            ``config`` (resolved) and ``data_hash``; optionally ``libraries``, ``metrics``, ``seconds``, ``notes``.
        reasons
            Symbols that have no model: ``skipped`` or ``failed``, and why.

        Raises
        ------
        ModelError
            No blocks, a missing or corrupt one, one of another kind, or a symbol in two of them.
        StoreError
            The store cannot be written.
        """
        return publishing.publish(self.store, kind, blocks, manifest_extra, reasons or {})

    def promote(self, kind: str, version: str, reason: str) -> Aliases:
        """Make a version the champion and remember the one before; nothing changes if it is champion already."""
        with layout.changing(self.store, kind):
            name = self.resolve(kind, version)
            return self._move(kind, lambda before: before.promoted(name, reason, datetime.now(UTC)))

    def promote_over(self, kind: str, version: str, champion: str | None, reason: str) -> bool:
        """Make a version the champion if ``champion``, which it was compared with, still is; return whether it did."""
        with layout.changing(self.store, kind):
            if self.aliases(kind).champion != champion:
                return False
            name = self.resolve(kind, version)

            def over(before: Aliases) -> Aliases:
                return before.promoted(name, reason, datetime.now(UTC)) if before.champion == champion else before

            return self._move(kind, over).champion == name

    def rollback(self, kind: str, reason: str = "rolled back") -> Aliases:
        """Swap champion and previous; ``ModelError`` if there is no previous one."""
        with layout.changing(self.store, kind):
            seen = self.aliases(kind)
            after = seen.rolled_back(reason, datetime.now(UTC))
            self.resolve(kind, "previous")
            moved = self._move(kind, lambda before: after if before == seen else before)
        if moved != after:
            raise ModelError(f"the aliases of {kind} were changed by another meanwhile. See `fleetcast models list`.")
        return moved

    def prune(
        self, kind: str, keep: int, older_than: timedelta | None = None, grace: timedelta = pruning.GRACE
    ) -> pruning.Freed:
        """Remove old versions of a kind, and half versions and runs that nothing has touched for a while.

        Parameters
        ----------
        kind
            The kind whose versions may go.
        keep
            How many of the newest versions stay, at least 1; the champion and the previous one stay as well.
        older_than
            If given, only versions older than this go.
        grace
            How long a half version or a run's folder must have been untouched; it guards work that is still going on.
        """
        with layout.changing(self.store, kind):
            aliased = frozenset(self.aliases(kind).named().values())
            return pruning.prune(self.store, kind, aliased, keep, older_than, grace)

    def load_block(self, kind: str, version: str, which: str | int, test: bool = False) -> Block:
        """Return the block that holds a symbol, or the block of that number, checked against the manifest.

        Raises
        ------
        ModelError
            The version, symbol or block does not exist, or a file is corrupt.
        """
        manifest = self.manifest(kind, version)
        number = which
        if isinstance(number, str):
            number, _ = self.roster(kind, manifest.version).place(self._symbol(manifest, number))
        return read_block(self.store, vouched_prefix(self.store, manifest, number), test=test)

    def test_predictions(
        self, kind: str, version: str = LATEST, columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield the test tables of a version, block by block; blocks written without one are passed over."""
        manifest = self.manifest(kind, version)
        for number in range(len(manifest.blocks)):
            table = read_test(self.store, vouched_prefix(self.store, manifest, number), columns)
            if table is not None:
                yield table

    def test_losses(self, kind: str, version: str = LATEST) -> TestLosses:
        """Return a version's test losses as :func:`training.validation.promotion.decide` compares them."""
        manifest = self.manifest(kind, version)

        def read(number: int, columns: Sequence[str]) -> pa.Table | None:
            return read_test(self.store, vouched_prefix(self.store, manifest, number), columns)

        symbols, blocks = self.roster(kind, manifest.version).block_numbers()
        return TestLosses(manifest.version, dict(zip(symbols, blocks.tolist(), strict=True)), read)

    def load_model(self, name: str, version: str | None = None) -> BasePredictor:
        """Return the predictor of one symbol.

        To forecast, give it the bars of its universe, or a table of them; see :meth:`BasePredictor.predict`.

        Parameters
        ----------
        name
            ``price_direction_<symbol>`` or ``volatility_<symbol>``; the symbol in any case if that is unambiguous.
        version
            A version's name, a unique beginning of one, an alias or ``latest``; by default the champion, or the latest
            where there is none.

        Raises
        ------
        ModelError
            The name is neither, or the version or the symbol does not exist.
        """
        kind, spelling = parse_model_name(name)
        if version is None:
            version = CHAMPION if self.aliases(kind).champion is not None else LATEST
        from training.predictors import predictor_from_block

        manifest = self.manifest(kind, version)
        symbol = self._symbol(manifest, spelling)
        return predictor_from_block(self.load_block(kind, manifest.version, symbol), (symbol,))

    def _move(self, kind: str, change: Callable[[Aliases], Aliases]) -> Aliases:
        """Change the aliases as one step of the store, so that no other's change is lost even where no lock holds."""
        outcome: list[Aliases] = []

        def apply(data: bytes | None) -> bytes | None:
            before = self._parsed(kind, data)
            outcome.append(change(before))
            return None if outcome[-1] == before else to_bytes(outcome[-1].model_dump(mode="json"))

        self.store.update(layout.aliases_path(kind), apply)
        return outcome[-1]

    def _parsed(self, kind: str, data: bytes | None) -> Aliases:
        try:
            return Aliases() if data is None else Aliases.model_validate_json(data)
        except ValidationError as error:
            raise ModelError(
                f"{self.store.path(layout.aliases_path(kind))!r} does not hold aliases. Delete it, then promote a "
                "version again."
            ) from error

    def _symbol(self, manifest: Manifest, spelling: str) -> str:
        roster = self.roster(manifest.kind, manifest.version)
        return roster.spelled(spelling, f"{manifest.kind} {manifest.version}")

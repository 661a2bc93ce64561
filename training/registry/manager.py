"""The registry of models: publish, name, load and retire versions."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import ModelError, require
from training.registry import layout, pruning, publishing, saved
from training.registry.aliases import Aliases, update_aliases
from training.registry.block_files import read_test
from training.registry.blocks import Block, read_block
from training.registry.loading import load_fleet, load_named
from training.registry.manifest import block_of_version
from training.registry.model_names import LATEST
from training.registry.roster import Reasons
from training.registry.versions import Versions
from training.validation.paired_losses import TestLosses

if TYPE_CHECKING:
    from training.predictors import BarsPredictor


class ModelManager(Versions):
    """Publish, name, load and retire versions of models.

    Wherever a method takes a ``version`` it may be a version's name, a unique beginning of one, an alias
    (``champion``, ``previous``) or ``latest``; any other is a ``ModelError`` that lists the choices.

    Parameters
    ----------
    store
        A :class:`~features.store.store.Store`, or the path or URI of one; by default ``FLEETCAST_STORE`` or
        ``.fleetcast``. Every change holds a lock per kind, and
        aliases are replaced only if they are still those that were read.

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

    def publish(
        self,
        kind: str,
        blocks: Sequence[str],
        manifest_extra: Mapping[str, Any],
        reasons: Reasons | None = None,
        universe: Collection[str] | None = None,
    ) -> publishing.ModelVersion:
        """Make a version of blocks that a run has written to this store; it appears complete or not at all.

        Publishing the same configuration, data and blocks again returns the existing version.

        Parameters
        ----------
        kind
            ``"direction"`` or ``"volatility"``.
        blocks
            Prefixes as given to :func:`.write_block`; block *i* of the version is ``blocks[i]``.
        manifest_extra
            ``config`` (resolved) and ``data_hash``; optionally ``libraries``, ``metrics``, ``seconds``, ``notes``.
        reasons
            Symbols without a model → (``skipped`` or ``failed``, why).
        universe
            The symbols that cross-asset features are relative to; by default those with a model.

        Raises
        ------
        ModelError
            No blocks, a missing or corrupt one, one of another kind, or a symbol in two of them.
        StoreError
            The store cannot be written.
        """
        return publishing.publish(self.store, kind, blocks, manifest_extra, reasons or {}, universe)

    def promote(self, kind: str, version: str, reason: str) -> Aliases:
        """Make a version the champion and the champion the previous one; no change if it is champion already."""
        with layout.kind_lock(self.store, kind):
            name = self.resolve(kind, version)
            return update_aliases(self.store, kind, lambda before: before.promoted(name, reason, datetime.now(UTC)))

    def promote_over(self, kind: str, version: str, champion: str | None, reason: str) -> bool:
        """Promote a version if ``champion``, which it was compared with, is still champion; return whether it was."""
        with layout.kind_lock(self.store, kind):
            if self.aliases(kind).champion != champion:
                return False
            name = self.resolve(kind, version)

            def change(before: Aliases) -> Aliases:
                return before.promoted(name, reason, datetime.now(UTC)) if before.champion == champion else before

            return update_aliases(self.store, kind, change).champion == name

    def rollback(self, kind: str, reason: str = "rolled back") -> Aliases:
        """Swap champion and previous; ``ModelError`` if there is no previous one."""
        with layout.kind_lock(self.store, kind):
            seen = self.aliases(kind)
            after = seen.rolled_back(reason, datetime.now(UTC))
            self.resolve(kind, "previous")
            stored = update_aliases(self.store, kind, lambda before: after if before == seen else before)
        if stored != after:
            raise ModelError(f"the aliases of {kind} were changed by another process. See `fleetcast models list`.")
        return stored

    def prune(
        self, kind: str, keep: int, older_than: timedelta | None = None, grace: timedelta = pruning.GRACE
    ) -> pruning.Pruned:
        """Delete old versions of a kind, and incomplete versions and folders of runs that are no longer in use.

        Parameters
        ----------
        kind
            The kind whose versions are deleted.
        keep
            How many of the newest versions stay, at least 1; the champion and the previous one stay as well.
        older_than
            If given, only versions older than this are deleted.
        grace
            How long an incomplete version or a run's folder must have been unchanged; it protects work in progress.
        """
        with layout.kind_lock(self.store, kind):
            aliased = frozenset(self.aliases(kind).named().values())
            return pruning.prune(self.store, kind, aliased, keep, older_than, grace)

    def load_block(self, kind: str, version: str, which: str | int, test: bool = False) -> Block:
        """Return the block of a symbol, or the block of that number, checked against the manifest.

        Raises
        ------
        ModelError
            The version, symbol or block does not exist, or a file is corrupt.
        """
        manifest = self.manifest(kind, version)
        if isinstance(which, str):
            which, _ = self.roster(kind, manifest.version).locate(self.match_symbol(kind, manifest.version, which))
        prefix, _ = block_of_version(self.store, manifest, which)
        return read_block(self.store, prefix, test=test)

    def test_predictions(
        self, kind: str, version: str = LATEST, columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield the test tables of a version block by block; blocks without one are left out."""
        manifest = self.manifest(kind, version)
        for number in range(len(manifest.blocks)):
            table = read_test(self.store, *block_of_version(self.store, manifest, number), columns)
            if table is not None:
                yield table

    def tested_rows(self, kind: str, version: str, symbol: str) -> pa.Table | None:
        """Return one symbol's rows of the test table, in order of time; None if it has none.

        These forecasts were made before their outcomes were used in any fit; a published model that was fitted again
        after the test has seen them.
        """
        manifest, roster = self.manifest(kind, version), self.roster(kind, version)
        if symbol not in roster.symbols():
            return None
        number, _ = roster.locate(symbol)
        table = read_test(self.store, *block_of_version(self.store, manifest, number))
        return None if table is None else table.filter(pc.equal(table["symbol"].cast(pa.string()), symbol))

    def test_losses(self, kind: str, version: str = LATEST) -> TestLosses:
        """Return a version's test losses, to be compared by :func:`training.validation.promotion.decide`."""
        manifest = self.manifest(kind, version)

        def read(number: int, columns: Sequence[str]) -> pa.Table | None:
            return read_test(self.store, *block_of_version(self.store, manifest, number), columns)

        symbols, blocks = self.roster(kind, manifest.version).block_numbers()
        notes = manifest.notes if isinstance(manifest.notes, dict) else {}
        trained_to = str(notes.get("trained_to") or "")
        return TestLosses(manifest.version, dict(zip(symbols, blocks.tolist(), strict=True)), read, trained_to)

    def save_model(self, predictor: BarsPredictor, name: str, version: str = "v1", *, overwrite: bool = False) -> str:
        """Store one symbol's model under a name and a version of your choice, and return the version.

        It is loaded by :meth:`load_model`; what is served, the versions of training runs, does not change. Saving the
        same model again changes nothing.

        Parameters
        ----------
        predictor
            A fitted predictor. Of several symbols, the one that ``name`` says is stored; bars without a symbol get it.
        name
            ``price_direction_<symbol>`` or ``volatility_<symbol>``.
        version
            Letters, digits, ``.``, ``_`` and ``-``.
        overwrite
            Whether to replace another model of that name and version.

        Raises
        ------
        ModelError
            The predictor is not fitted, or of another kind or symbol, or another model has the name and version.
        """
        return saved.save(self.store, predictor, name, version, overwrite)

    def load_model(self, name: str, version: str | None = None) -> BarsPredictor:
        """Return the predictor of one symbol.

        To forecast, give it the bars of its universe, or a table of them; see :meth:`BarsPredictor.predict`.

        Parameters
        ----------
        name
            ``price_direction_<symbol>`` or ``volatility_<symbol>``; the symbol in any case if that is unambiguous.
        version
            A version that :meth:`save_model` stored, or one of a training run. By default the champion, or the latest
            if there is no champion; ``latest`` is the newest of both.
        """
        require(version, (str, type(None)), "version", f"a name, such as {LATEST!r}")
        return load_named(self, name, version)

    def load_fleet(self, kind: str, version: str = LATEST, only: Container[str] | None = None) -> BarsPredictor:
        """Return one predictor of all symbols of a version, or of those in ``only``.

        Raises
        ------
        ModelError
            The version does not exist, a file of it is corrupt, its blocks were fitted with different settings or with
            some that this Fleetcast does not have, or it has a model of none of the symbols.
        """
        return load_fleet(self, kind, version, only)

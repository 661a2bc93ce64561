"""Predictors from versions: of one symbol by the name of its model, or of all symbols as one fleet."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from configs.errors import ConfigError, ModelError, UnreadableError
from configs.load import validated
from training.registry import layout, saved
from training.registry.blocks import Block
from training.registry.model_names import LATEST, parse_model_name
from training.tasks import task_of

if TYPE_CHECKING:
    from training.predictors.bars_predictor import BarsPredictor
    from training.registry.manager import ModelManager

CHAMPION = "champion"


def load_named(models: ModelManager, name: str, version: str | None) -> BarsPredictor:
    """Return the predictor of one symbol; see :meth:`.ModelManager.load_model`."""
    kind, symbol = parse_model_name(name)
    own = saved.saved_versions(models.store, name)
    newest = next(reversed(own), None)
    wanted = version or (CHAMPION if models.aliases(kind).champion is not None else LATEST)
    if wanted not in own:
        try:
            found = models.resolve(kind, wanted)
            symbol = models.match_symbol(kind, found, symbol)
        except UnreadableError:  # a saved model must not hide that the published one is damaged
            raise
        except ModelError as error:
            if newest is None:
                raise
            if version not in (None, LATEST):
                raise ModelError(f"{error} Saved of {name} are: {', '.join(own)}.") from error
            wanted = newest
        else:
            if wanted != LATEST or newest is None or own[newest] < layout.version_moment(found):
                with _settings_of(kind, found):
                    return _predictor(models.load_block(kind, found, symbol), (symbol,))
            wanted = newest
    with _settings_of(kind, wanted):
        return _predictor(saved.load(models.store, name, wanted))


def load_fleet(models: ModelManager, kind: str, version: str, only: Container[str] | None) -> BarsPredictor:
    """Return one predictor of many symbols; see :meth:`.ModelManager.load_fleet`."""
    from training.predictors.join import join

    roster = models.roster(kind, version := models.resolve(kind, version))
    chosen = [symbol for symbol in roster.symbols() if only is None or symbol in only]
    if not chosen:
        raise ModelError(f"{kind} {version} holds none of the symbols asked for. Train them first.")
    wanted = frozenset(chosen)
    with _settings_of(kind, version):
        fleet = join([_predictor(models.load_block(kind, version, n)) for n in roster.blocks_of(chosen)])
        rows = [symbol for symbol in fleet.symbols if symbol in wanted]
        return type(fleet).from_state(fleet.symbols, fleet.to_arrays(), fleet.meta(), rows)


@contextmanager
def _settings_of(kind: str, version: str) -> Iterator[None]:
    """Name the version whose settings this Fleetcast does not have."""
    try:
        yield
    except ConfigError as error:
        raise ModelError(
            f"the {kind} version {version} cannot be loaded by this Fleetcast: {str(error).rstrip('.')}. Use the "
            "Fleetcast that trained it, train again, or choose another version: `fleetcast models rollback`."
        ) from error


def _predictor(block: Block, symbols: Sequence[str] | None = None) -> BarsPredictor:
    from training.predictors import predictor_from_block  # imports pandas, which listing versions does not need

    task_of(block.kind).check(validated(block.meta["config"], "its settings"))
    return predictor_from_block(block, symbols)

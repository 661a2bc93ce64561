"""The predictor of each kind: the module with the kind's name declares it as ``PREDICTOR``."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from configs.errors import ModelError

if TYPE_CHECKING:
    from training.predictors.bars_predictor import BarsPredictor


def predictor_class(kind: str) -> type[BarsPredictor]:
    """Return the class of a kind's predictors; only its module is imported.

    Raises
    ------
    ModelError
        There is no such kind.
    """
    known = sorted(found.name for found in pkgutil.iter_modules(__path__))
    if kind not in known:
        raise ModelError(f"kind {kind!r} has no predictor. Choose one of: {', '.join(known)}.")
    found: type[BarsPredictor] = importlib.import_module(f"{__name__}.{kind}").PREDICTOR
    return found

"""Blocks that workers fitted with the same settings, stacked to one fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from configs.errors import ModelError
from training.predictors.bars_predictor import BarsPredictor


def join(predictors: Sequence[BarsPredictor]) -> BarsPredictor:
    """Return one fleet of all symbols of these, of one kind and configuration; there must be at least one.

    Raises
    ------
    ModelError
        A symbol is in two of them, or what all symbols share is not the same in each.
    """
    first = predictors[0]
    if len(predictors) == 1:
        return first
    symbols = [symbol for one in predictors for symbol in one.symbols]
    if len(set(symbols)) < len(symbols) or any(one.settings != first.settings for one in predictors):
        raise ModelError("these fleets hold a symbol twice, or were fitted with different settings. Train them as one.")
    largest = max(predictors, key=lambda one: len(one.symbols))
    own, alone = _own_arrays(largest), len(largest.symbols) == 1
    states = [one.to_arrays() for one in predictors]
    same_in_all = {
        name: all(np.array_equal(ours, state[name], equal_nan=True) for state in states)
        for name, ours in states[0].items()
    }
    differing = {name.partition("/")[0] for name, same in same_in_all.items() if not same and name not in own}
    arrays = {}
    for name, ours in states[0].items():
        same, is_row = same_in_all[name], ours.shape[:1] == (1,) and name.partition("/")[0] in differing
        if name in own or (alone and (is_row or not same)):
            arrays[name] = _stacked([state[name] for state in states])
        elif same:
            arrays[name] = ours
        else:
            raise ModelError(f"these fleets do not share {name!r}. Train them in one run.")
    dates = {name: max(one.meta()[name] for one in predictors) for name in ("trained_to", "calibrated_to")}
    return type(first).from_state(symbols, arrays, first.meta() | dates)


def _own_arrays(predictor: BarsPredictor) -> set[str]:
    """Return the names of the arrays with a row for each symbol: those of two symbols are twice as long as of one.

    Of a fleet of one, a single row may as well be what all share; :func:`join` then goes by which parts differ.
    """
    symbols, arrays, meta = predictor.symbols, predictor.to_arrays(), predictor.meta()
    one, two = (type(predictor).from_state(symbols, arrays, meta, symbols[:1] * count).to_arrays() for count in (1, 2))
    return {name for name, values in one.items() if len(two[name]) != len(values)}


def _stacked(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return parts joined by row; of trees, the smaller are padded by nodes that no row reaches."""
    widest = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    padded = [
        np.pad(part, [(0, 0), *((0, most - size) for most, size in zip(widest, part.shape[1:], strict=True))])
        for part in parts
    ]
    return np.concatenate(padded)

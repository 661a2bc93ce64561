"""Symbols that were given another name: their position and open order go on under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from serving.bot.state import BotState
from serving.journal.outcomes import current_name


def renamed(state: BotState, names: Mapping[str, str]) -> BotState:
    """Return a state whose positions and orders are those of the present names.

    A position stays under its old name while there is one under the new name too.

    Parameters
    ----------
    names
        New names by old ones (``journal.renamed``).
    """
    is_held = (state.numbers["position"] != 0.0) | (state.numbers["wanted"] != 0.0)
    held = {name for s, name in enumerate(state.symbols) if is_held[s]}
    moved = {name: current_name(name, names) for name in sorted(held)}
    moved = {old: new for old, new in moved.items() if new != old and new not in held}
    moved = {new: old for old, new in moved.items()}  # of two names that became one, the first
    if not moved:
        return state
    kept = np.array([s for s, name in enumerate(state.symbols) if name not in moved], dtype=np.int64)
    present = {old: new for new, old in moved.items()}
    symbols = tuple(present.get(state.symbols[s], state.symbols[s]) for s in kept)
    numbers = {name: values[kept].copy() for name, values in state.numbers.items()}
    dates = {name: values[kept].copy() for name, values in state.dates.items()}
    retired, place = dict(state.retired), {name: s for s, name in enumerate(state.symbols)}
    for new in moved:  # what was earned under the new name before is earned by the same symbol
        s = symbols.index(new)
        realised, costs = retired.pop(new, (0.0, 0.0))
        if new in place:
            realised += float(state.numbers["realised"][place[new]])
            costs += float(state.numbers["costs"][place[new]])
        numbers["realised"][s] += realised
        numbers["costs"][s] += costs
    orders = {present.get(name, name): order for name, order in state.orders.items()}
    return replace(state, symbols=symbols, numbers=numbers, dates=dates, orders=orders, retired=retired)

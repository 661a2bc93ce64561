"""What is done about steps and spikes: spikes are left out and steps rebased, as ``data.on_steps`` says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from configs.words import counted
from features.bars.quarantine import COLUMNS, Quarantine
from features.bars.schema import SymbolBars
from features.bars.step_causes import UNKNOWN
from features.bars.step_evidence import change_of_volume
from features.bars.steps import Step, find_steps

OnSteps = Literal["quarantine", "rebase", "keep", "refuse"]
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Mended:
    """A symbol's bars without what was mended, and the steps and spikes by what was done about them."""

    bars: SymbolBars
    left_out: tuple[Step, ...] = ()
    rebased: tuple[Step, ...] = ()
    kept: tuple[Step, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps and spikes."""
        return self.left_out + self.rebased + self.kept

    def summary(self) -> str:
        """Return what was done as text, or an empty one."""
        parts = [(f"{_count(self.left_out)} left out as spikes", self.left_out)]
        parts += [("prices before steps were multiplied by their ratio", self.rebased), ("prices step", self.kept)]
        return "; ".join(f"{what}: {listed(steps)}" for what, steps in parts if steps)


def mend(bars: SymbolBars, on_steps: OnSteps) -> Mended:
    """Return a symbol's bars as training and serving read them.

    ``quarantine`` leaves out the bars of spikes, and multiplies the prices before an explained step by its ratio (and
    divides their volume by it, if that steps the other way); ``rebase`` does so for every step with a known cause;
    ``keep`` and ``refuse`` change no value. The bars have no splits: their prices are adjusted, or taken as they are.
    """
    steps = find_steps(bars)
    bars = bars if bars.splits is None else replace(bars, splits=None)
    if not steps or on_steps in ("keep", "refuse"):
        return Mended(bars, kept=steps)
    spikes = tuple(step for step in steps if step.kind == "spike")
    rebased = tuple(step for step in steps if step.kind == "step" and (step.explained or _known(step, on_steps)))
    kept = tuple(step for step in steps if step not in spikes and step not in rebased)
    prices, volume = {name: getattr(bars, name).copy() for name in _PRICES}, bars.volume.copy()
    for step in rebased:
        if _volume_steps(bars, step):
            volume[: step.row] /= step.ratio
        for values in prices.values():
            values[: step.row] *= step.ratio
    whole = np.ones(len(bars), bool)
    for step in spikes:
        whole[step.row : step.row + step.bars] = False
    prices = {name: values[whole] for name, values in prices.items()}
    return Mended(replace(bars, dates=bars.dates[whole], volume=volume[whole], **prices), spikes, rebased, kept)


def left_out_rows(bars: SymbolBars, mended: Mended) -> Quarantine:
    """Return the rows that :func:`mend` has left out of these bars."""
    rows = [row for step in mended.left_out for row in range(step.row, step.row + step.bars)]
    given = [str(step) for step in mended.left_out for _ in range(step.bars)]
    if not rows:
        return Quarantine.empty()
    values = {name: getattr(bars, name)[rows] for name in (*_PRICES, "volume")}
    frame = pd.DataFrame({"symbol": bars.symbol, "date": bars.dates[rows], "rule": "spike", **values, "given": given})
    return Quarantine(frame[list(COLUMNS)].astype({"symbol": "str", "rule": "str", "given": "str"}))


def listed(steps: tuple[Step, ...], most: int = 3) -> str:
    """Return steps as text, the first few of many."""
    return ", ".join(map(str, steps[:most])) + (f" and {len(steps) - most} more" if len(steps) > most else "")


def _known(step: Step, on_steps: OnSteps) -> bool:
    return on_steps == "rebase" and not step.cause.startswith(UNKNOWN)


def _volume_steps(bars: SymbolBars, step: Step) -> bool:
    """Whether volume steps the other way; where too few bars tell, it does so with a split that the source names."""
    change = change_of_volume(bars, step.row)
    return step.explained if np.isnan(change) else bool(abs(change + np.log(step.ratio)) < abs(change))


def _count(steps: tuple[Step, ...]) -> str:
    bars = sum(step.bars for step in steps)
    return f"{counted(bars, 'bar')} {'was' if bars == 1 else 'were'}"

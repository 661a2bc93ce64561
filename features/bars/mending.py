"""What is done about steps and spikes: spikes are left out and steps rebased, as ``data.on_steps`` says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from configs.words import counted
from features.bars.arrays import PRICES, VALUES
from features.bars.quarantine import COLUMNS, Quarantine
from features.bars.schema import SymbolBars
from features.bars.step_causes import UNKNOWN
from features.bars.step_evidence import change_of_volume
from features.bars.steps import Step, find_steps

OnSteps = Literal["quarantine", "rebase", "keep", "refuse"]
_CLEAR = 0.5  # of the log price: the usual volume changes by less from one month to the next


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

    def since(self, date: np.datetime64) -> Mended:
        """Return it without the steps and spikes up to a date."""
        parts = (self.left_out, self.rebased, self.kept)
        return Mended(self.bars, *(tuple(step for step in part if step.date > date) for part in parts))

    def refusal(self, on_steps: OnSteps, most: int) -> str:
        """Return why these bars are neither trained on nor forecast from, or an empty text.

        More than ``most`` steps remain. A newest bar that is off by a factor is such a step: nothing shows yet whether
        its price will return.
        """
        if on_steps == "refuse" and self.steps:
            return f"{self.summary()} (data.on_steps=refuse)"
        if on_steps == "keep" or len(self.kept) <= most:
            return ""
        return (
            f"{self.summary()}; at most {most} may stay unexplained (data.max_unexplained_steps). Correct the data, "
            "or train with data.on_steps=rebase (multiply the prices before) or keep (they are real)"
        )

    def summary(self) -> str:
        """Return what was done as text, or an empty one."""
        parts = [(f"{_count(self.left_out)} left out as spikes", self.left_out)]
        parts += [("prices before steps were multiplied by their ratio", self.rebased), ("prices step", self.kept)]
        return "; ".join(f"{what}: {format_steps(steps)}" for what, steps in parts if steps)


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
    whole = np.ones(len(bars), bool)
    for step in spikes:
        whole[step.row : step.row + step.bars] = False
    return Mended(_rebased(bars, rebased).take(whole), spikes, rebased, kept)


def adjusted_for_splits(bars: SymbolBars) -> SymbolBars:
    """Return bars without splits, rebased before those that their source names and their prices show.

    For readers that act on no other steps, and where bars go on without their splits.
    """
    if not bars.split_rows:
        return bars
    steps = tuple(step for step in find_steps(bars) if step.explained)
    return replace(_rebased(bars, steps), splits=None)


def left_out_rows(bars: SymbolBars, mended: Mended) -> Quarantine:
    """Return the rows that :func:`mend` has left out of these bars."""
    rows = [row for step in mended.left_out for row in range(step.row, step.row + step.bars)]
    given = [str(step) for step in mended.left_out for _ in range(step.bars)]
    if not rows:
        return Quarantine.empty()
    values = {name: getattr(bars, name)[rows] for name in VALUES}
    frame = pd.DataFrame({"symbol": bars.symbol, "date": bars.dates[rows], "rule": "spike", **values, "given": given})
    return Quarantine(frame[list(COLUMNS)].astype({"symbol": "str", "rule": "str", "given": "str"}))


def format_steps(steps: tuple[Step, ...], most: int = 3) -> str:
    """Return steps as text, the first few of many."""
    return ", ".join(map(str, steps[:most])) + (f" and {len(steps) - most} more" if len(steps) > most else "")


def _rebased(bars: SymbolBars, steps: tuple[Step, ...]) -> SymbolBars:
    prices, volume = {name: getattr(bars, name).copy() for name in PRICES}, bars.volume.copy()
    for step in steps:
        if _volume_steps(bars, step):
            volume[: step.row] /= step.ratio
        for values in prices.values():
            values[: step.row] *= step.ratio
    return replace(bars, volume=volume, **prices)


def _known(step: Step, on_steps: OnSteps) -> bool:
    return on_steps == "rebase" and not step.cause.startswith(UNKNOWN)


def _volume_steps(bars: SymbolBars, step: Step) -> bool:
    """Whether volume steps the other way. That of an explained step does, unless it is clear that it does not."""
    size = float(np.log(step.ratio))
    share = -change_of_volume(bars, step.row) / size
    if step.explained:
        return not (abs(size) > _CLEAR and share < 1.0 / 3.0)
    return bool(share > 0.5)


def _count(steps: tuple[Step, ...]) -> str:
    bars = sum(step.bars for step in steps)
    return f"{counted(bars, 'bar')} {'was' if bars == 1 else 'were'}"

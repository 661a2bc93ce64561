"""The output of ``fleetcast ablation``: what each group adds, as a table with sentences or as one JSON document."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from cluster.views.console import make_console
from cluster.views.wide_table import WideTable
from configs.words import counted, signed
from features.splits import Split
from training.ablation import AblationResult
from training.metrics.comparison import Comparison
from training.tasks import task_of
from training.validation.group_effect import GroupEffect, chance_line


def show_ablation(result: AblationResult, as_json: bool) -> None:
    """Print the effect of each group on each kind of model."""
    if as_json:
        print(json.dumps(to_json(result), indent=1, allow_nan=False))
        return
    console = make_console()
    console.print(
        "\nwhat each group adds, on the validation period; the test period is not read", style="bold", soft_wrap=True
    )
    console.print(f"  {_spans(result.prepared.split)}", highlight=False, soft_wrap=True)
    for kind in dict.fromkeys(effect.kind for effect in result.effects):
        effects = [effect for effect in result.effects if effect.kind == kind]
        scored = f"{counted(effects[0].symbols, 'symbol')}, {counted(effects[0].rows, 'row')}"
        console.print(f"\n{kind}: {scored} on {counted(effects[0].days, 'day')}", style="bold", highlight=False)
        console.print(_table(effects))
        for effect in effects:
            console.print(f"  {effect.sentence}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"\n{chance_line(result.effects)}", highlight=False, soft_wrap=True)
    for output, reason in result.failed.items():
        console.print(f"failed: {output}: {reason}", highlight=False, markup=False, soft_wrap=True)
    stored = ", the others stored before" if result.fits < result.jobs else ""
    console.print(f"\n{result.fits:,} of {counted(result.jobs, 'fit')} done now{stored}", highlight=False)


def to_json(result: AblationResult) -> dict[str, Any]:
    """Return the effects and periods as JSON; unknown numbers are null."""
    split = result.prepared.split
    periods = {
        "train": ["", _day(split.train_end)],
        "chosen_and_calibrated": [_day(split.valid_start), _day(split.valid_end)],
        "scored": [_day(split.test_start), _day(split.test_end)],
    }
    effects = [_effect(effect) for effect in result.effects]
    fits = {"jobs": result.jobs, "done_now": result.fits, "failed": result.failed}
    return {"periods": periods, "effects": effects, "comparisons": chance_line(result.effects), "fits": fits}


def _table(effects: Sequence[GroupEffect]) -> WideTable:
    rows = [
        [
            " + ".join(one.groups),
            _figure(one.without_groups),
            _figure(one.with_groups),
            _difference(one.difference),
            f"{one.known_in_training:.0%}, {one.known:.0%}",
        ]
        for one in effects
    ]
    loss = task_of(effects[0].kind).loss_title
    caption = (
        "± standard error, clustered by day; a negative difference is a gain\n"
        "known: share of the rows of training, and of those scored, that have a value"
    )
    return WideTable(["group", f"{loss} without", "with", "difference", "known"], rows, caption=caption)


def _effect(effect: GroupEffect) -> dict[str, Any]:
    found = {
        "kind": effect.kind,
        "groups": effect.groups,
        "metric": task_of(effect.kind).loss,
        "with": effect.with_groups,
        "without": effect.without_groups,
        "difference": effect.difference.value,
        "standard_error": effect.difference.se,
        "symbols": effect.symbols,
        "rows": effect.rows,
        "days": effect.days,
        "known": effect.known,
        "known_in_training": effect.known_in_training,
        "sentence": effect.sentence,
    }
    return {key: None if isinstance(one, float) and not math.isfinite(one) else one for key, one in found.items()}


def _figure(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "–"


def _difference(found: Comparison) -> str:
    error = f"{found.se:.4f}" if math.isfinite(found.se) else "?"
    return f"{signed(found.value)} ± {error}" if math.isfinite(found.value) else "–"


def _spans(split: Split) -> str:
    chosen, scored = (f"{_day(a)} to {_day(b)}" for a, b in _parts(split))
    return f"fitted up to {_day(split.train_end)}, chosen and calibrated on {chosen}, scored on {scored}"


def _parts(split: Split) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    return (split.valid_start, split.valid_end), (split.test_start, split.test_end)


def _day(at: Any) -> str:
    return str(at)[:10]

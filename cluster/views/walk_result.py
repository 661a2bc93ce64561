"""Print the outcome of ``fleetcast walk-forward``."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict

from rich.text import Text

from cluster.options.option_values import DEFAULT_STORE
from cluster.views.console import make_console
from cluster.views.walk_checks import check_sentences
from cluster.views.walk_stability import importance_parts, importances_json
from cluster.views.walk_tables import render_walk, walk_json
from configs.errors import shortened
from configs.words import counted
from features.store.store import Store
from training.walk_checks import Checks
from training.walk_forward import WalkForwardResult


def show_walk(result: WalkForwardResult, store: Store, as_json: bool, checks: Checks) -> None:
    """Print the tables of a walk-forward run, its checks and where its forecasts are, or one JSON document."""
    if as_json:
        found = asdict(checks) | {"importances": importances_json(checks.importances)}
        print(json.dumps(walk_json(result) | found, allow_nan=False))
        return
    console = make_console()
    for part in render_walk(result.run):
        console.print(part, highlight=False, soft_wrap=isinstance(part, Text))
    for part in importance_parts(checks.importances):
        console.print(part, highlight=False, soft_wrap=isinstance(part, Text))
    for sentence in check_sentences(checks):
        console.print(sentence, highlight=False, soft_wrap=True)
    notes = list(result.plan.warnings)
    if result.run.left_over:
        notes.append(f"the last {counted(result.run.left_over, 'date')} are tested by no window: too few for one")
    if result.failed:
        reasons = sorted(set(result.failed.values()))
        notes.append(f"{counted(len(result.failed), 'fit')} failed: {shortened(reasons, 3)}")
    for note in notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)
    stages = ", ".join(f"{stage} {value:.1f} s" for stage, value in result.seconds.items())
    fits = f"{result.fits} of {counted(result.jobs, 'fit')} done now"
    console.print(f"\nrun {result.run.name} in {store.uri}; {fits}; time: {stages}", highlight=False, soft_wrap=True)
    option = "" if store.uri == Store(DEFAULT_STORE).uri else f" --store {shlex.quote(store.uri)}"
    console.print(f"next: fleetcast backtest --walk-forward {result.run.name}{option}", highlight=False, soft_wrap=True)

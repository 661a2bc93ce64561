"""``fleetcast train``: from bars to published, compared and promoted models."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Promote(StrEnum):
    """When a new version becomes champion."""

    auto = "auto"
    always = "always"
    never = "never"


def train(
    preset: Annotated[
        str | None, typer.Option(help="demo, smoke, equities or gpu; by default demo, or equities for other bars.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with any part of the configuration.")] = None,
    bars: Annotated[str | None, typer.Option(help="Files, a folder or a glob of bars; 'lake' or 'embedded'.")] = None,
    symbols: Annotated[
        str | None, typer.Option(help="Names separated by commas; by default all of the source.")
    ] = None,
    kinds: Annotated[str | None, typer.Option(help="direction, volatility or both, separated by commas.")] = None,
    store: Annotated[str, typer.Option(envvar="FLEETCAST_STORE", help="Folder, or s3:// or gs:// URI.")] = ".fleetcast",
    overrides: Annotated[list[str] | None, typer.Option("--set", help="section.key=value; may be repeated.")] = None,
    promote: Annotated[Promote, typer.Option(help="When the new version becomes champion.")] = Promote.auto,
    study: Annotated[
        list[str] | None,
        typer.Option(help="Use the settings that this study found; may be repeated for the other kind."),
    ] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster, host:port.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    more_bars: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="FILE")] = None,
) -> None:
    """Train every symbol's direction and volatility models, and publish a version of each kind."""
    from contextlib import nullcontext

    from cluster.options import bars_given, interruptible, names, resolved_config
    from configs.layers import of_option

    files = bars_given(bars, more_bars)
    given = [of_option(f"--kinds {kinds}", "run.kinds", names("--kinds", kinds))] if kinds is not None else []
    resolved = resolved_config(preset, config, files, symbols, [*(overrides or []), *given])
    verdicts = []
    if study:
        from features.store.store import Store
        from tuning.winner import check_periods, check_tasks, overrides_of, read_verdicts, summary_lines

        verdicts = read_verdicts(Store(store), study)
        found = overrides_of(verdicts)
        resolved = resolved_config(preset, config, files, symbols, [*found, *(overrides or []), *given])
        check_tasks(verdicts, resolved)
        if not as_json:
            print(*summary_lines(verdicts), sep="\n")
    from cluster.session import check_reachable, connect
    from cluster.views.progress import show_result, watching
    from training.trainer import ModelTrainer

    trainer = ModelTrainer(resolved, store)
    if address is not None:
        check_reachable(address)
    hint = "; finished blocks are kept: run the same command again to continue"
    with interruptible(hint), watching(as_json) as callbacks:
        prepared = trainer.prepare(callbacks=callbacks)
        if study:
            check_periods(verdicts, prepared.plan)
        with nullcontext() if prepared.is_finished else connect(address, resume_hint=hint):
            result = trainer.run(prepared, promote=promote.value, callbacks=callbacks)
    show_result(result, trainer.store, as_json)
    if not all(kind.version for kind in result.results):
        raise typer.Exit(1)

"""``fleetcast train``: from bars to published, compared and promoted models."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cluster.options.common_options import (
    Address,
    AsJson,
    Bars,
    ConfigFile,
    Kinds,
    MoreBars,
    Overrides,
    Preset,
    StorePath,
    Symbols,
)
from cluster.options.option_values import DEFAULT_STORE


class Promote(StrEnum):
    """When a new version becomes champion."""

    auto = "auto"
    always = "always"
    never = "never"


def train(
    preset: Preset = None,
    config: ConfigFile = None,
    bars: Bars = None,
    symbols: Symbols = None,
    kinds: Kinds = None,
    store: StorePath = DEFAULT_STORE,
    overrides: Overrides = None,
    without: Annotated[
        str | None, typer.Option(help="Groups of features to leave out, such as options,macro: see what they add.")
    ] = None,
    promote: Annotated[Promote, typer.Option(help="When the new version becomes champion.")] = Promote.auto,
    study: Annotated[
        list[str] | None,
        typer.Option(help="Use the settings that this study found; may be repeated for the other kind."),
    ] = None,
    address: Address = None,
    as_json: AsJson = False,
    more_bars: MoreBars = None,
) -> None:
    """Train every symbol's direction and volatility models, and publish a version of each kind."""
    from contextlib import nullcontext

    from cluster.options.option_values import bars_given, interruptible, names, resolved_config
    from configs.layers import of_option

    files = bars_given(bars, more_bars)
    given = [of_option(f"--kinds {kinds}", "run.kinds", names("--kinds", kinds))] if kinds is not None else []
    if without is not None:
        given.append(of_option(f"--without {without}", "features.without", names("--without", without)))
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

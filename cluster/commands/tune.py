"""``fleetcast tune``: search for the settings of a kind of model, and compare the winner with the default."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import Address, AsJson, Bars, ConfigFile, MoreBars, Overrides, Preset, StorePath
from cluster.options.option_values import DEFAULT_STORE


def tune(
    kind: Annotated[str, typer.Option(help="direction or volatility.")] = "direction",
    preset: Preset = None,
    config: ConfigFile = None,
    bars: Bars = None,
    symbols: Annotated[str | None, typer.Option(help="Names separated by commas; by default a sample.")] = None,
    trials: Annotated[int | None, typer.Option(help="Total number of trials of the study.")] = None,
    time_budget: Annotated[str | None, typer.Option(help="Start no trial after this time: 90s, 30m or 2h.")] = None,
    study: Annotated[str | None, typer.Option(help="The study's name; by default the kind and the time.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an existing study.")] = False,
    begin_or_resume: Annotated[
        bool, typer.Option("--begin-or-resume", help="Continue the study if it exists, else create it.")
    ] = False,
    storage: Annotated[
        str | None, typer.Option(envvar="FLEETCAST_STUDIES", help="Database URL; by default SQLite in the store.")
    ] = None,
    store: StorePath = DEFAULT_STORE,
    overrides: Overrides = None,
    address: Address = None,
    as_json: AsJson = False,
    more_bars: MoreBars = None,
) -> None:
    """Search for the settings of a kind of model, on folds before the test period."""
    from cluster.options.option_values import bars_given, interruptible
    from cluster.options.sweep_options import repeated, sweep_options

    files = bars_given(bars, more_bars)
    wanted, resolved, seconds = sweep_options(
        kind, preset, config, files, symbols, trials, time_budget, study, resume or begin_or_resume, overrides
    )
    from cluster.session import check_reachable, connect
    from cluster.views.sweep_tables import show_tuned, watching
    from tuning.optimizer import HyperparameterOptimizer

    optimizer = HyperparameterOptimizer(resolved, store, url=storage)
    optimizer.check(study, resume or begin_or_resume, must_exist=resume)
    if address is not None:
        check_reachable(address)
    hint = "; finished trials are kept: continue with --study NAME --resume"
    with interruptible(hint), watching(as_json) as callbacks, connect(address, resume_hint=hint):
        tuned = optimizer.optimize(
            wanted, study=study, resume=resume or begin_or_resume, seconds=seconds, callbacks=callbacks
        )
    show_tuned(tuned, [*repeated(preset, config, files, symbols, overrides or []), "--store", store], as_json)

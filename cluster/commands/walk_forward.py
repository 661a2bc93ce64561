"""``fleetcast walk-forward``: fit on a window of the past, test on what follows, move on."""

from __future__ import annotations

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


def walk_forward(
    preset: Preset = None,
    config: ConfigFile = None,
    bars: Bars = None,
    symbols: Symbols = None,
    kinds: Kinds = None,
    train_window: Annotated[int | None, typer.Option(help="Dates that a fit may see; 1000 by default.")] = None,
    test_window: Annotated[int | None, typer.Option(help="Dates that test it before the next fit; 63.")] = None,
    expanding: Annotated[
        bool | None, typer.Option("--expanding/--rolling", help="Fit on all dates before, or on the last ones.")
    ] = None,
    purge: Annotated[str | None, typer.Option(help="Bars dropped between parts; auto is the horizon.")] = None,
    embargo: Annotated[int | None, typer.Option(help="Further bars dropped there.")] = None,
    refit_every: Annotated[int | None, typer.Option(help="Test windows that one fit serves.")] = None,
    store: StorePath = DEFAULT_STORE,
    overrides: Overrides = None,
    look_ahead_check: Annotated[
        bool, typer.Option("--look-ahead-check", help="Cut the bars, compute again, and name what used the future.")
    ] = False,
    warm_up_check: Annotated[
        bool, typer.Option("--warm-up-check", help="Say how many bars a feature and a forecast need.")
    ] = False,
    importances: Annotated[
        bool, typer.Option("--importances", help="Say which features the models use, window by window.")
    ] = False,
    address: Address = None,
    as_json: AsJson = False,
    more_bars: MoreBars = None,
) -> None:
    """Fit every window's models, and score their forecasts of the bars that follow. Finished fits are kept."""
    from contextlib import nullcontext

    from cluster.options.option_values import bars_given, interruptible, resolved_config
    from cluster.options.walk_options import window_layers

    windows = window_layers(kinds, train_window, test_window, expanding, purge, embargo, refit_every)
    resolved = resolved_config(preset, config, bars_given(bars, more_bars), symbols, [*(overrides or []), *windows])
    from cluster.session import check_reachable, connect
    from cluster.views.progress import watching
    from cluster.views.walk_result import show_walk
    from training.walk_checks import run_checks
    from training.walk_forward import WalkForward

    walk = WalkForward(resolved, store)
    if address is not None:
        check_reachable(address)
    hint = "; finished fits are kept: run the same command again to continue"
    with interruptible(hint), watching(as_json) as callbacks:
        prepared = walk.prepare()
        callbacks.planned(prepared.plan, len(prepared.done))
        with nullcontext() if prepared.is_finished else connect(address, resume_hint=hint):
            result = walk.run(prepared, callbacks.progress)
        checks = run_checks(walk, result, future=look_ahead_check, past=warm_up_check, features=importances)
    show_walk(result, walk.store, as_json, checks)
    if not result.run.symbols or checks.failed:
        raise typer.Exit(1)

"""``fleetcast walk-forward``: fit on a window of the past, test on what follows, move on."""

from __future__ import annotations

from typing import Annotated

import typer


def walk_forward(
    preset: Annotated[
        str | None, typer.Option(help="demo, smoke, equities or gpu; by default demo, or equities for other bars.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with any part of the configuration.")] = None,
    bars: Annotated[str | None, typer.Option(help="Files, a folder or a glob of bars; 'lake' or 'embedded'.")] = None,
    symbols: Annotated[
        str | None, typer.Option(help="Names separated by commas; by default all of the source.")
    ] = None,
    kinds: Annotated[str | None, typer.Option(help="direction, volatility or both, separated by commas.")] = None,
    train_window: Annotated[int | None, typer.Option(help="Dates that a fit may see; 1000 by default.")] = None,
    test_window: Annotated[int | None, typer.Option(help="Dates that test it before the next fit; 63.")] = None,
    expanding: Annotated[
        bool | None, typer.Option("--expanding/--rolling", help="Fit on all dates before, or on the last ones.")
    ] = None,
    purge: Annotated[str | None, typer.Option(help="Bars dropped between parts; auto is the horizon.")] = None,
    embargo: Annotated[int | None, typer.Option(help="Further bars dropped there.")] = None,
    refit_every: Annotated[int | None, typer.Option(help="Test windows that one fit serves.")] = None,
    store: Annotated[str, typer.Option(envvar="FLEETCAST_STORE", help="Folder, or s3:// or gs:// URI.")] = ".fleetcast",
    overrides: Annotated[list[str] | None, typer.Option("--set", help="section.key=value; may be repeated.")] = None,
    look_ahead_check: Annotated[
        bool, typer.Option("--look-ahead-check", help="Cut the bars, compute again, and name what used the future.")
    ] = False,
    warm_up_check: Annotated[
        bool, typer.Option("--warm-up-check", help="Say how many bars a feature and a forecast need.")
    ] = False,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster, host:port.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    more_bars: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="FILE")] = None,
) -> None:
    """Fit every window's models, and score their forecasts of the bars that follow. Finished fits are kept."""
    from contextlib import nullcontext

    from cluster.options import bars_given, interruptible, resolved_config
    from cluster.walk_options import window_layers

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
        checks = run_checks(walk, result, look_ahead_check, warm_up_check)
    show_walk(result, walk.store, as_json, checks)
    if not result.run.symbols or checks.failed:
        raise typer.Exit(1)

"""``fleetcast monitor``: what live forecasts are worth."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import AsJson, Database, StorePath


def monitor(
    html: Annotated[str | None, typer.Option(help="Write a page to this file.")] = None,
    features: Annotated[
        bool, typer.Option("--features/--no-features", help="Compare features with those of the training period.")
    ] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Print again and again until Ctrl-C.")] = False,
    every: Annotated[str, typer.Option(help="Of --watch, the time between.")] = "60s",
    database: Database = None,
    config: Annotated[str | None, typer.Option(help="YAML file with the section monitoring.")] = None,
    store: StorePath = ".fleetcast",
    overrides: Annotated[list[str] | None, typer.Option("--set", help="monitoring.key=value; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge journaled forecasts by their outcomes, next to baselines; exit code 1 if there is an alarm."""
    import time

    from cluster.options.option_values import check_store, duration_s, interruptible
    from cluster.output_files import check_file, write_output
    from cluster.views.console import make_console
    from cluster.views.monitoring_tables import show_monitoring
    from configs.load import load_config
    from serving.journal import open_journal
    from serving.monitoring.monitor import Monitor
    from serving.monitoring.report.monitoring_page import render
    from training.registry.manager import ModelManager

    settings, pause_s = load_config(file=config, overrides=overrides or ()), duration_s("--every", every)
    if html is not None:
        check_file("--html", html)
    manager = ModelManager(store)
    check_store(manager.store, store)
    with open_journal(database, store, settings.journal, create=False) as journal, interruptible(""):
        while True:
            result = Monitor(journal, manager, settings.monitoring).run(drift=features)
            if html is not None:
                write_output("--html", html, render(result).encode())
            if watch and not as_json:
                make_console().clear()
            show_monitoring(result, as_json)
            if not watch:
                raise typer.Exit(result.has_alarm)
            time.sleep(pause_s)

"""``fleetcast backtest``: trade out-of-sample forecasts in a simulated account."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import AsJson, Overrides, StorePath, StrategyName
from cluster.options.option_values import DEFAULT_STORE


def backtest(
    walk_forward: Annotated[
        str | None, typer.Option(help="A walk-forward run or a beginning of its name; by default the newest.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Use the test period of a version, champion, previous or latest instead.")
    ] = None,
    strategy: StrategyName = None,
    benchmark: Annotated[str | None, typer.Option(help="Symbol to buy and hold for comparison.")] = None,
    simulations: Annotated[int | None, typer.Option(help="Monte Carlo simulations of each kind.")] = None,
    report: Annotated[str | None, typer.Option(help="Write a tear sheet, an HTML page, to this file.")] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with the sections strategy and backtest.")] = None,
    store: StorePath = DEFAULT_STORE,
    overrides: Overrides = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster, host:port, for --simulations.")] = None,
    as_json: AsJson = False,
) -> None:
    """Trade the forecasts of a walk-forward run or a version after costs, and say what the model added."""
    from contextlib import nullcontext

    from cluster.options.backtest_options import chosen_forecasts, trading_config
    from cluster.options.option_values import check_store, interruptible
    from cluster.output_files import check_file, write_output
    from cluster.session import check_reachable, connect
    from cluster.views.backtest_result import show_backtest
    from training.backtest import Backtest
    from training.registry.reports import Reports

    resolved = trading_config(config, strategy, benchmark, simulations, overrides)
    if report is not None:
        check_file("--report", report)
    driver = Backtest(resolved, store)
    check_store(driver.store, store)
    if address is not None:
        check_reachable(address)
    if count := resolved.backtest.simulations:
        typer.echo(f"Monte Carlo: {count:,} simulations of each kind; those of noisy prices take longest", err=True)
    with interruptible("; no trial was counted"), nullcontext() if address is None else connect(address):
        result = driver.run(chosen_forecasts(driver.store, walk_forward, version))
    show_backtest(result, driver.store, as_json)  # first: it is complete whether or not a file can be written
    if report is not None:
        page = result.to_html().encode()
        write_output("--report", report, page)
        kept = Reports(driver.store).keep(f"{resolved.strategy.name} on {result.title}", page)
        typer.echo(f"tear sheet: {report}; the page of fleetcast serve shows its copy {kept}", err=True)

"""``fleetcast signals``: what a strategy decides after the newest bars."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import AsJson, Overrides, StorePath, StrategyName
from cluster.options.option_values import DEFAULT_STORE


def signals(
    strategy: StrategyName = None,
    symbols: Annotated[str | None, typer.Option(help="Names separated by commas; by default all.")] = None,
    bars: Annotated[
        str | None, typer.Option(help="File, folder, 'lake' or 'embedded'; by default the lake or what was trained on.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with the section strategy.")] = None,
    store: StorePath = DEFAULT_STORE,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Print the positions that a strategy takes on the champions' newest forecasts, and why others are 0."""
    from cluster.newest_signals import newest_signals
    from cluster.options.backtest_options import trading_config
    from cluster.options.option_values import bars_named, names
    from cluster.views.signal_table import show_signals
    from serving.newest_bars import BarsChoice
    from training.registry.manager import ModelManager

    resolved = trading_config(config, strategy, None, None, overrides)
    wanted = names("--symbols", symbols) if symbols is not None else []
    choice = BarsChoice([bars_named(bars)] if bars is not None else None)
    found = newest_signals(ModelManager(store), resolved.strategy, choice, wanted)
    show_signals(found, resolved.strategy.name, as_json)

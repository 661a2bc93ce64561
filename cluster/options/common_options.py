"""Options that have one name and one meaning in several commands."""

from __future__ import annotations

from typing import Annotated

import typer

Preset = Annotated[
    str | None, typer.Option(help="demo, smoke, equities or gpu; by default demo, or equities for other bars.")
]
ConfigFile = Annotated[str | None, typer.Option("--config", help="YAML file with any part of the configuration.")]
Bars = Annotated[str | None, typer.Option(help="Files, a folder or a glob of bars; 'lake' or 'embedded'.")]
MoreBars = Annotated[list[str] | None, typer.Argument(hidden=True, metavar="FILE")]
Symbols = Annotated[str | None, typer.Option(help="Names separated by commas; by default all of the source.")]
Kinds = Annotated[str | None, typer.Option(help="direction, volatility or both, separated by commas.")]
StorePath = Annotated[str, typer.Option("--store", envvar="FLEETCAST_STORE", help="Folder, or s3:// or gs:// URI.")]
Database = Annotated[
    str | None, typer.Option(envvar="FLEETCAST_DATABASE", help="The journal's URL; by default journal.db in the store.")
]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="section.key=value; may be repeated.")]
Address = Annotated[str | None, typer.Option(help="A running Ray cluster, host:port.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
StrategyName = Annotated[
    str | None, typer.Option("--strategy", help="A strategy's name, or a class of yours as module:Class.")
]

"""``fleetcast config``: every setting with its type, default and meaning."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import AsJson, Bars, ConfigFile, Overrides

app = typer.Typer(name="config", help="Show the settings of a run, and what each means.", no_args_is_help=True)


@app.command()
def show(
    key: Annotated[str | None, typer.Argument(help="A setting or a section; by default all.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="demo, smoke, equities or gpu; by default the bars decide.")
    ] = None,
    config: ConfigFile = None,
    bars: Bars = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Show every setting as a run with these options uses it, with its type, default and meaning."""
    from cluster.options.option_values import resolved_config
    from cluster.views.setting_lists import show_settings
    from configs.settings import all_settings, find

    resolved = resolved_config(preset, config, bars, None, list(overrides or []))
    show_settings(list(all_settings().values()) if key is None else find(key), resolved, as_json)


@app.command()
def describe(
    key: Annotated[str, typer.Argument(help="A setting such as direction.horizon, or a section.")],
    as_json: AsJson = False,
) -> None:
    """Describe a setting: type, default, meaning, and the presets that change it."""
    from cluster.views.setting_lists import show_description
    from configs.settings import find

    show_description(find(key), as_json)

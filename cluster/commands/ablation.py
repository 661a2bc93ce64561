"""``fleetcast ablation``: what each group of alternative data adds to the forecasts."""

from __future__ import annotations

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

_SWITCHES = ("use_alternative_data", "use_sentiment")


def ablation(
    preset: Preset = None,
    config: ConfigFile = None,
    bars: Bars = None,
    symbols: Symbols = None,
    kinds: Kinds = None,
    store: StorePath = DEFAULT_STORE,
    overrides: Overrides = None,
    address: Address = None,
    as_json: AsJson = False,
    more_bars: MoreBars = None,
) -> None:
    """Fit with and without each group of alternative data, and compare them on the validation period, never the test.

    Settings that use no alternative data are taken to use all that the lake has.
    """
    from contextlib import nullcontext

    from cluster.options.option_values import bars_given, interruptible, names, resolved_config
    from configs.layers import Layer, of_option

    files = bars_given(bars, more_bars)
    given: list[str | Layer] = [*(overrides or [])]
    if kinds is not None:
        given.append(of_option(f"--kinds {kinds}", "run.kinds", names("--kinds", kinds)))
    resolved = resolved_config(preset, config, files, symbols, given)
    if not (resolved.features.use_alternative_data or resolved.features.use_sentiment):
        everything = [of_option("fleetcast ablation", f"features.{name}", True) for name in _SWITCHES]
        resolved = resolved_config(preset, config, files, symbols, [*given, *everything])
    from cluster.session import check_reachable, connect
    from cluster.views.ablation_table import show_ablation
    from cluster.views.progress import watching
    from training.ablation import Ablation

    driver = Ablation(resolved, store)
    if address is not None:
        check_reachable(address)
    hint = "; finished fits are kept: run the same command again to continue"
    with interruptible(hint), watching(as_json) as callbacks:
        prepared = driver.prepare()
        with nullcontext() if prepared.is_finished else connect(address, resume_hint=hint):
            result = driver.run(prepared, callbacks)
    show_ablation(result, as_json)
    if not any(effect.rows for effect in result.effects):
        raise typer.Exit(1)

"""The catalog of strategies: every module of :mod:`training.strategy.strategies`, and classes that users wrote."""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import sys
from functools import cache
from typing import Any, NamedTuple

from configs.errors import ConfigError, FleetcastError, last_line
from configs.strategy import StrategyConfig
from training.strategy import strategies
from training.strategy.spec import Need, Strategy, StrategySpec


class Chosen(NamedTuple):
    """A strategy and its declaration."""

    strategy: Strategy
    spec: StrategySpec


@cache
def catalog() -> dict[str, StrategySpec]:
    """Return every strategy by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(strategies.__path__))
    specs: list[StrategySpec] = [importlib.import_module(f"{strategies.__name__}.{name}").SPEC for name in names]
    return {spec.name: spec for spec in specs}


def choose(settings: StrategyConfig) -> Chosen:
    """Return the configured strategy.

    Raises
    ------
    ConfigError
        The name is neither in the catalog nor a class with the method ``targets``, or parameters do not fit.
    """
    spec = _own(settings.name) if ":" in settings.name else catalog().get(settings.name)
    if spec is None:
        close = difflib.get_close_matches(settings.name, catalog(), 1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"strategy.name has value {settings.name!r}. {hint}Choose from {', '.join(catalog())}, or name a class of "
            "yours as module:Class."
        )
    try:
        return Chosen(spec.build(**settings.parameters), spec)
    except FleetcastError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"strategy.parameters {settings.parameters} do not make a {settings.name}: {last_line(error)}. "
            "Expected the keyword arguments of its class."
        ) from error


def _own(name: str) -> StrategySpec:
    """Return the declaration of a class ``module:Class``, found in the working directory or on ``PYTHONPATH``."""
    module, _, attribute = name.partition(":")
    place = os.getcwd()
    added = place not in sys.path
    if added:
        sys.path.insert(0, place)
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"strategy.name {name!r} cannot be imported: {last_line(error)}. Expected module:Class with a module in "
            f"the working directory {place!r} or on PYTHONPATH."
        ) from error
    finally:
        if added:
            sys.path.remove(place)
    if not isinstance(found, type) or not callable(getattr(found, "targets", None)):
        raise ConfigError(
            f"strategy.name {name!r} is {type(found).__name__} without a method targets; expected a class with "
            "targets(view) that returns positions (dates × symbols) from -1 to 1."
        )
    needs = getattr(found, "needs", ("volatility",))
    known: frozenset[Need] = frozenset({"direction", "volatility"})
    wanted = frozenset(need for need in known if isinstance(needs, tuple | list) and need in needs)
    if not isinstance(needs, tuple | list) or len(wanted) < len(set(needs)):
        raise ConfigError(
            f"{name}.needs has value {needs!r}; expected a tuple of some of 'direction' and 'volatility': the "
            "forecasts without which it holds nothing."
        )
    return StrategySpec(
        name=name,
        title=(found.__doc__ or name).strip().partition("\n")[0],
        build=found,
        needs=wanted,
        size="volatility_target",
        relative=bool(getattr(found, "relative", False)),
    )

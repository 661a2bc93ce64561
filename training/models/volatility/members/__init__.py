"""Members of the volatility ensemble: each module is one and declares it as ``SPEC``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from configs.errors import ConfigError
from configs.models import VolatilityConfig
from training.models.volatility.member import MemberSpec


@cache
def catalog() -> dict[str, MemberSpec]:
    """Return every member and baseline by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    specs: list[MemberSpec] = [importlib.import_module(f"{__name__}.{name}").SPEC for name in names]
    return {spec.name: spec for spec in specs}


def baselines() -> list[MemberSpec]:
    """Return the members that every model is compared with."""
    return [spec for spec in catalog().values() if spec.is_baseline]


def alone(part: VolatilityConfig) -> str | None:
    """Return the member that is the whole model by the name of its spec; None for an ensemble.

    Raises
    ------
    ConfigError
        ``volatility.model`` is no member that can be combined.
    """
    if part.model == "ensemble":
        return None
    specs = [spec for spec in catalog().values() if spec.is_combined]
    by_name = {name: spec.name for spec in specs for name in (spec.name, *spec.aliases)}
    if part.model not in by_name:
        *choices, last = sorted(by_name)
        expected = f"ensemble, {', '.join(choices)} or {last}"
        raise ConfigError(f"volatility.model has value {part.model!r}; expected {expected}.")
    return by_name[part.model]


def fitted(part: VolatilityConfig) -> list[MemberSpec]:
    """Return the configured members, in that order, or the one that is used alone, then the other baselines.

    Raises
    ------
    ConfigError
        A name is no member.
    """
    known, one = catalog(), alone(part)
    configured = part.members if one is None else (one,)
    if unknown := [name for name in configured if name not in known]:
        raise ConfigError(f"volatility.members has {unknown[0]!r}. Choose from {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys((*configured, *(spec.name for spec in baselines())))]


def combined(part: VolatilityConfig) -> list[MemberSpec]:
    """Return those of :func:`fitted` that take part in the combined forecast."""
    return [spec for spec in fitted(part) if spec.is_combined]


def fallback() -> MemberSpec:
    """Return the baseline that forecasts where there is no anchor."""
    (found,) = (spec for spec in baselines() if spec.is_fallback)
    return found

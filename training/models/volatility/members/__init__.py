"""Members of the volatility ensemble: each module is one and declares it as ``SPEC``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache

from configs.errors import ConfigError
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


def fitted(configured: Sequence[str]) -> list[MemberSpec]:
    """Return the configured members, in that order, then the baselines that are not among them.

    Raises
    ------
    ConfigError
        A name is no member.
    """
    known = catalog()
    if unknown := [name for name in configured if name not in known]:
        raise ConfigError(f"volatility.members has {unknown[0]!r}. Choose from {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys((*configured, *(spec.name for spec in baselines())))]


def combined(configured: Sequence[str]) -> list[MemberSpec]:
    """Return those of :func:`fitted` that take part in the combined forecast."""
    return [spec for spec in fitted(configured) if spec.is_combined]

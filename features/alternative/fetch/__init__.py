"""Sources that data other than bars are fetched from: each module is one, and its ``SPEC`` describes it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from features.alternative.fetch.base import FetchSpec


@cache
def catalog() -> dict[str, FetchSpec]:
    """Return the source of every module by name."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    specs: list[FetchSpec] = [module.SPEC for module in modules if hasattr(module, "SPEC")]
    return {spec.name: spec for spec in specs}

"""Where bars come from: each module is one source and says how it is opened in its ``SPEC``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from configs.errors import DataError
from features.sources.base import Source, SourceSpec
from features.store.store import Store

__all__ = ["Source", "SourceSpec", "catalog", "open_source"]


@cache
def catalog() -> dict[str, SourceSpec]:
    """Return every source by name."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    specs: list[SourceSpec] = [module.SPEC for module in modules if hasattr(module, "SPEC")]
    return {spec.name: spec for spec in specs}


def open_source(spec: str, store: Store) -> Source:
    """Open the source that ``spec`` means: a name (``"embedded"``, ``"lake"``, ``"yahoo"``), else a path.

    Raises
    ------
    DataError
        Nothing of that name or at that path.
    """
    known = catalog()
    if spec in known:
        return known[spec].open(spec, store)
    for source in known.values():
        if source.accepts is not None and source.accepts(spec):
            return source.open(spec, store)
    raise DataError(
        f"bars {spec!r} is neither a path that exists nor one of: {', '.join(sorted(known))}. Check the path."
    )

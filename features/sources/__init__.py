"""Sources of bars: each module is one, and its ``SPEC`` says how to open it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.sources.base import Source, SourceSpec
from features.store.store import Store

__all__ = ["Source", "SourceSpec", "catalog", "open_source"]


@cache
def catalog() -> dict[str, SourceSpec]:
    """Return the source of every module by name."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    specs: list[SourceSpec] = [module.SPEC for module in modules if hasattr(module, "SPEC")]
    return {spec.name: spec for spec in specs}


def open_source(spec: str | Sequence[str], store: Store, reading: ReadingConfig | None = None) -> Source:
    """Open a source by its name (``"embedded"``, ``"lake"``, ``"yahoo"``), or by a path or several of them.

    Raises
    ------
    DataError
        There is no source of that name and nothing at that path.
    """
    sources, reading = catalog(), reading or ReadingConfig()
    if not isinstance(spec, str) and len(spec) == 1 and spec[0] in sources:
        spec = spec[0]
    if not isinstance(spec, str):
        return sources["files"].open(spec, store, reading)
    if spec in sources:
        return sources[spec].open(spec, store, reading)
    for source in sources.values():
        if source.accepts is not None and source.accepts(spec):
            return source.open(spec, store, reading)
    raise DataError(
        f"bars {spec!r} is neither an existing path nor one of: {', '.join(sorted(sources))}. Check the path."
    )

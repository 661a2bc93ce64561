"""Public names of a package that are imported when they are first used, so that importing the package is fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions ``__getattr__`` and ``__dir__`` of a package.

    Parameters
    ----------
    package
        Its name, ``__name__``.
    modules
        The public names that each module defines. Type checkers and ``__all__`` need them written out as well.

    Examples
    --------
    >>> get, names = lazy_names("configs", {"configs.errors": ["DataError", "ConfigError"]})
    >>> names(), get("DataError").__module__
    (['ConfigError', 'DataError'], 'configs.errors')
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(module_of[name]), name)

    return get, lambda: sorted(module_of)

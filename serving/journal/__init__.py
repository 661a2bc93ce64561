"""The journal: a database of predictions, their outcomes, orders, alerts and leases.

Names are imported on first use, so that importing the package does not import SQLAlchemy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.journal.database import Journal, open_journal

__all__ = ["Journal", "open_journal"]

_MODULES = {"Journal": "serving.journal.database", "open_journal": "serving.journal.database"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'serving.journal' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

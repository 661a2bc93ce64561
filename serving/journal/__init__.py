"""The journal: a database of predictions, their outcomes, orders, alerts and leases.

Names are imported on first use, so that importing the package does not import SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.lazy import lazy_names

if TYPE_CHECKING:
    from serving.journal.database import Journal
    from serving.journal.opening import open_journal

__all__ = ["Journal", "open_journal"]

__getattr__, __dir__ = lazy_names(
    __name__, {"serving.journal.database": ["Journal"], "serving.journal.opening": ["open_journal"]}
)

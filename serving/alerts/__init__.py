"""Alerts: what the bot reports, written with what it is about and sent by a separate task.

Names are imported on first use, so that importing the package does not import SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.lazy import lazy_names

if TYPE_CHECKING:
    from serving.alerts.events import EVENTS, Alert, AlertError
    from serving.alerts.outbox import raise_alert, raise_alerts, resolve_alerts, settle

__all__ = ["EVENTS", "Alert", "AlertError", "raise_alert", "raise_alerts", "resolve_alerts", "settle"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "serving.alerts.events": ["Alert", "AlertError", "EVENTS"],
        "serving.alerts.outbox": ["raise_alert", "raise_alerts", "resolve_alerts", "settle"],
    },
)

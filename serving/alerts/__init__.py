"""Alerts: what the bot reports, written with what it is about and sent by a task of its own.

Names are imported on first use, so that importing the package does not import SQLAlchemy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.alerts.events import EVENTS, Alert, AlertError
    from serving.alerts.outbox import raise_alert, raise_alerts, resolve_alerts, settle

__all__ = ["EVENTS", "Alert", "AlertError", "raise_alert", "raise_alerts", "resolve_alerts", "settle"]

_MODULES = {
    "EVENTS": "serving.alerts.events",
    "Alert": "serving.alerts.events",
    "AlertError": "serving.alerts.events",
    "raise_alert": "serving.alerts.outbox",
    "raise_alerts": "serving.alerts.outbox",
    "resolve_alerts": "serving.alerts.outbox",
    "settle": "serving.alerts.outbox",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'serving.alerts' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""Fixtures of the bot's tests: databases, and services for tasks that need no models."""

from collections.abc import Callable
from typing import Any

import pytest

from configs.schema import Config
from serving.bot.services import Services
from training.registry.manager import ModelManager


@pytest.fixture
def make_services(journal: Any, tmp_path: Any) -> Callable[..., Services]:
    """Return a function that makes services without a scanner, with other settings of the section ``bot``."""

    def make(clock: Any = None, **settings: Any) -> Services:
        config = Config.model_validate({"bot": {"lease_s": 2.0, "retry_s": 0.05, **settings}})
        more = {} if clock is None else {"clock": clock}
        return Services(config, ModelManager(tmp_path / "store"), journal, scanner=None, **more)

    return make

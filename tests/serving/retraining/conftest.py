"""A registry with two versions of each kind, and the default settings."""

import pytest

from configs import load_config
from training.registry.manager import ModelManager


@pytest.fixture
def models(store) -> ModelManager:
    return ModelManager(store)


@pytest.fixture
def config():
    return load_config("demo")

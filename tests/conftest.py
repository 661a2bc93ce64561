"""Shared by all tests: quiet TensorFlow, and one Ray cluster a session for those that need it."""

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """Ray on this machine with two processors, as every command starts it."""
    from cluster.session import connect

    with connect(cpus=2):
        yield

"""The command line as a user runs it: another process, real Ray, real files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Trained(NamedTuple):
    """The undisturbed smoke run that others are compared with."""

    store: Path
    document: dict[str, Any]


@pytest.fixture(scope="session")
def trained(fleetcast: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One run of ``fleetcast train --preset smoke --json`` on Ray."""
    store = tmp_path_factory.mktemp("trained") / "store"
    done = fleetcast("train", "--preset", "smoke", "--store", str(store), "--json")
    assert done.code == 0, done.err
    return Trained(store, json.loads(done.out))

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.store.store import Store
from training.registry.blocks import Block, write_block
from training.registry.manager import ModelManager


@pytest.fixture
def manager(tmp_path: Path) -> ModelManager:
    return ModelManager(tmp_path / "store")


@pytest.fixture
def train() -> Callable[..., list[str]]:
    return write_blocks


@pytest.fixture
def release() -> Callable[..., str]:
    return publish_run


def write_blocks(store: Store, run: str, blocks: dict[str, list[str]], kind: str = "direction") -> list[str]:
    """Write one block per entry, as workers do, and return the prefixes."""
    prefixes = []
    for name, symbols in blocks.items():
        prefix = f"runs/{run}/{kind}/{name}"
        test = pa.table(
            {
                "symbol": symbols,
                "date": np.full(len(symbols), np.datetime64("2020-01-01", "ns")),
                "loss": np.full(len(symbols), len(run), dtype=np.float32),
            }
        )
        weights = {"w": np.arange(len(symbols), dtype=np.float32)}
        write_block(store, prefix, Block(kind, tuple(symbols), weights, {"run": run}, {}, test))
        prefixes.append(prefix)
    return prefixes


def publish_run(
    manager: ModelManager, run: str, symbols: tuple[str, ...] = ("AAPL", "^GSPC"), kind: str = "direction"
) -> str:
    prefixes = write_blocks(manager.store, run, {"block-00000": list(symbols)}, kind)
    return manager.publish(kind, prefixes, {"config": {"run": run}, "data_hash": "d1"}).version

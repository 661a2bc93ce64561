"""Fixtures of all tests: servers, random universes, small configurations."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from hypothesis import settings
from threadpoolctl import threadpool_limits
from waiting import BOUND_S

from configs.schema import Config
from features.bars.schema import SymbolBars

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tests start a hundred processes, and each would compile the project again where caches are off.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Ray reads it when it is imported, before any connection: without it, workers are started by `uv run`.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
# Ray gives its workers a low priority (15), with which they hardly get a processor that other processes use too.
os.environ.setdefault("RAY_worker_niceness", "0")
# Three test processes use two processors. Threads of scikit-learn and of linear algebra wait actively for each other,
# which takes many times their work where others use the processors too.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # of libraries that are not loaded yet
    os.environ.setdefault(name, "1")
threadpool_limits(1)  # of those that are

# Neither a busy machine nor chance may fail a commit; look for new examples with --hypothesis-profile=explore.
settings.register_profile("fleetcast", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("fleetcast")

# A shell makes background processes ignore Ctrl-C, and the commands that tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
pytest_plugins = ["command_line", "grouped_tests", "journal_databases", "shared_stores", "telegram_standin"]


@pytest.fixture(scope="session")
def start_server() -> Iterator[Callable[[FastAPI], str]]:
    """Return a function that serves an application and returns its URL; servers stop with the session."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(application: FastAPI) -> str:
        server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(BOUND_S)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of an S3 server on loopback; the environment points at it."""
    command = [sys.executable, str(ROOT / "tests" / "s3_server.py")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (("ENDPOINT_URL", url), ("REGION", "us-east-1"), ("ACCESS_KEY_ID", "tester")):
                patch.setenv(f"AWS_{name}", value)
            patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
            yield url
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def s3(s3_server: str) -> str:
    """The URI of a store in a new bucket."""
    bucket = f"bucket-{uuid.uuid4().hex[:8]}"
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{bucket}", method="PUT")).close()
    return f"s3://{bucket}/store"


def random_universe(symbols: Sequence[str], bars: int = 500, seed: int = 0) -> list[SymbolBars]:
    """Return daily bars with a common factor, clustered volatility, momentum to learn, a range and volume.

    A symbol's bars depend on its name, their number and the seed only, never on the other symbols.
    """
    dates = np.busday_offset("2015-01-01", np.arange(bars), roll="forward").astype("datetime64[ns]")
    common = np.random.default_rng(seed)
    level = np.exp(np.convolve(common.normal(0.0, 0.15, bars + 40), np.full(40, 0.3), "valid")[:bars])
    market = 0.006 * level * common.normal(size=bars)
    out = []
    for symbol in symbols:
        rng = np.random.default_rng([seed, *symbol.encode()])
        sigma = 0.010 * level * np.exp(0.3 * rng.normal())
        returns = market + sigma * rng.normal(size=bars)
        returns[1:] += 0.4 * returns[:-1]
        close = 50.0 * np.exp(np.cumsum(returns))
        opened = np.concatenate([[50.0], close[:-1]]) * np.exp(0.3 * sigma * rng.normal(size=bars))
        high = np.maximum(opened, close) * np.exp(0.5 * sigma * np.abs(rng.normal(size=bars)))
        low = np.minimum(opened, close) * np.exp(-0.5 * sigma * np.abs(rng.normal(size=bars)))
        volume = np.exp(rng.normal(12.0, 0.4, bars))
        out.append(SymbolBars(symbol, dates, opened, high, low, close, volume, has_range=True, has_volume=True))
    return out


def files_of_blocks(store: Path) -> dict[str, bytes]:
    """Return the files of the store's fitted blocks by name, without temporary files of killed processes."""
    found = sorted(path for path in store.glob("runs/*-*/*.*") if path.suffix != ".tmp")
    return {str(path.relative_to(store)): path.read_bytes() for path in found}


@pytest.fixture(scope="session")
def block_files() -> Callable[[Path], dict[str, bytes]]:
    return files_of_blocks


@pytest.fixture(scope="session")
def make_universe() -> Callable[..., list[SymbolBars]]:
    """Return the function that makes random universes: ``make_universe(symbols, bars, seed)``."""
    return random_universe


@contextmanager
def limited_file_size(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture(scope="session")
def file_size_limit() -> Callable[[int], AbstractContextManager[None]]:
    """Return a context in which no file of this process may grow beyond so many bytes, as on a full disk."""
    return limited_file_size


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., Config]:
    """Return a factory of the smallest configurations that use every part: ``tiny_config("a.b=c", …)``."""
    from configs import load_config

    smallest = ["split={train_end: null, valid_end: null, test_start: null, test_end: null, valid_fraction: 0.2}"]
    for kind in ("direction", "volatility"):
        smallest += [f"{kind}.network={{window: 5, lstm_units: [4], attention_heads: 1}}"]
        smallest += [f"{kind}.fit={{epochs: 3, pooled_epochs: 3, batch_size: 32, pooled_batch_size: 64}}"]
        smallest += [f"{kind}.fit.learning_rate=0.02"]
    smallest += [
        "features.technical_indicators=[trend, volatility, cross_asset]",
        "features.max_features=6",
        "data.min_bars=200",
    ]
    smallest += ["volatility.forest={trees: 5, max_depth: 3, min_samples_leaf: 10}"]
    return lambda *overrides: load_config("smoke", overrides=[*smallest, *overrides])

"""Fixtures of all tests: the command line, a Ray cluster, servers, random universes, small configurations."""

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
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from hypothesis import settings
from threadpoolctl import threadpool_limits
from xdist.scheduler import LoadScopeScheduling

from configs.schema import Config
from features.bars.schema import SymbolBars

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Ray reads it when it is imported, before any connection: without it, workers are started by `uv run`.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
# Two test processes use two processors. Threads of scikit-learn and of linear algebra wait actively for each other,
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
pytest_plugins = ["journal_databases", "telegram_standin"]

_ON_NODES = ("test_buckets", "test_nodes")
_ALONE = ("test_submission", "test_service", "test_tune_command", "test_search", "test_doctor")
_LONGEST_FIRST = ("commands", "nodes", *_ALONE)


def _together(nodeid: str) -> str:
    """Return the group of tests that run in one process: those of a file, or of all files that share a slow fixture."""
    file = nodeid.partition("::")[0]
    name = Path(file).stem
    if not file.startswith("tests/cluster/") or name in _ALONE:
        return name if name in _ALONE else file
    return "nodes" if name in _ON_NODES else "commands"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the groups that take minutes first, for the scheduler below."""
    order = {name: place for place, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(_together(item.nodeid), len(order)))


class _TogetherScheduling(LoadScopeScheduling):
    """Assigns groups from both ends: one process runs the slow ones, which mostly wait; the others compute."""

    def _split_scope(self, nodeid: str) -> str:
        return _together(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        if node is not self.nodes[0]:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _TogetherScheduling(config, log)


class Finished(NamedTuple):
    """The exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str


def start_fleetcast(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cluster.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start a command in a new session, so that a test may kill it with its children."""
    return start_fleetcast


@pytest.fixture(scope="session")
def fleetcast() -> Callable[..., Finished]:
    """Run a command in another process and wait for its end."""

    def run(*arguments: str) -> Finished:
        process = start_fleetcast(*arguments)
        out, err = process.communicate(timeout=300)
        return Finished(process.returncode, out, err)

    return run


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Run a command in this process, which saves its imports; for commands that need neither Ray nor signals."""
    from cluster.cli import main

    def run(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["fleetcast", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Finished(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    """Ray on this machine with two processors; per module, because other modules train faster without it."""
    from cluster.session import connect

    with connect(cpus=2):
        yield


@pytest.fixture(scope="session")
def start_server() -> Iterator[Callable[[FastAPI], str]]:
    """Return a function that serves an application and returns its URL; servers stop with the session."""
    with ExitStack() as servers:
        yield lambda application: servers.enter_context(_served(application))


@contextmanager
def _served(application: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline and thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


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


class Walked(NamedTuple):
    """A walk-forward run of both kinds on three symbols: its store, the file with its bars, and its name."""

    store: Path
    bars: Path
    name: str


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory, tiny_config: Callable[..., Config]) -> Walked:
    """Three windows of 60 dates, fitted in this process; copy the store to change it."""
    import pandas as pd

    from training.walk_forward import WalkForward

    folder = tmp_path_factory.mktemp("walked")
    columns = ("open", "high", "low", "close", "volume")
    bars = [
        pd.DataFrame({"symbol": one.symbol, "date": one.dates, **{name: getattr(one, name) for name in columns}})
        for one in random_universe(("AAA", "BBB", "CCC"), bars=450)
    ]
    pd.concat(bars).to_parquet(folder / "bars.parquet")
    config = tiny_config(
        f"data.bars={folder / 'bars.parquet'}",
        "walk_forward={train_window: 260, test_window: 60}",
        "run.block_symbols=8",
        "volatility.members=[boosting]",
    )
    walk = WalkForward(config, str(folder / "store"))
    result = walk.run(walk.prepare())
    assert not result.failed
    return Walked(folder / "store", folder / "bars.parquet", result.run.name)

"""Fixtures of the command line on real Ray: trained stores, and a cluster that asks for a token."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx2
import pandas as pd
import psutil
import pytest
from waiting import BOUND_S

from cluster.local_start import PATIENT
from cluster.ports import free_ports
from configs.schema import Config
from training.registry.manager import ModelManager
from training.run.publication import publish_kind
from training.run.queue import JobQueue
from training.trainer import ModelTrainer


class Trained(NamedTuple):
    """An uninterrupted smoke run: its store, its JSON document and its log."""

    store: Path
    document: dict[str, Any]
    log: str


@pytest.fixture(scope="session")
def trained(fleetcast: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One run of ``fleetcast --verbose train --preset smoke --json`` on Ray, with one worker."""
    store = tmp_path_factory.mktemp("trained") / "store"
    smoke = ("--preset", "smoke", "--set", "run.workers=1")
    done = fleetcast("--verbose", "train", *smoke, "--store", str(store), "--json")
    assert done.code == 0, done.err
    return Trained(store, json.loads(done.out), done.err)


@contextmanager
def _ray_head(log: Path, environment: Mapping[str, str]) -> Iterator[str]:
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_AUTH_MODE", "token")
    patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    here = Path(sys.executable).parent  # a job runs `python`, which must have the packages
    names = ("port", "dashboard-port", "dashboard-agent-listen-port")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    options = [part for name, port in ports.items() for part in (f"--{name}", str(port))]
    # Ray gives a job the address of the cluster that was started last with the same folder, be it another one.
    folder = TemporaryDirectory(
        prefix="fc", dir="/tmp", ignore_cleanup_errors=True
    )  # short: socket paths have a maximum length
    options.append(f"--temp-dir={folder.name}")
    output = log.open("w")
    process = subprocess.Popen(
        [str(here / "ray"), "start", "--head", "--block", "--num-cpus=2", *options],
        stdout=output,
        stderr=output,
        start_new_session=True,
        env={
            **os.environ,
            **PATIENT,
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "PATH": f"{here}:{os.environ['PATH']}",
            **environment,
        },
    )
    url = f"http://127.0.0.1:{ports['dashboard-port']}"
    try:
        while True:
            with suppress(httpx2.TransportError):
                if httpx2.get(f"{url}/api/version").status_code in (200, 401):
                    break
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
        yield url
    finally:
        for node_process in [process, *psutil.Process(process.pid).children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # a graceful stop of Ray takes half a minute
                node_process.kill()
        process.wait(BOUND_S)
        output.close()
        folder.cleanup()
        patch.undo()


@pytest.fixture(scope="session")
def ray_head() -> Callable[[Path, Mapping[str, str]], AbstractContextManager[str]]:
    """Start a cluster of one node: ``with ray_head(log, environment) as job_server``.

    The cluster asks for a token, which is in the environment of this process meanwhile.
    """
    return _ray_head


class Undisturbed(NamedTuple):
    """A run of small blocks in one process; runs on clusters must give the same bytes."""

    config: Config
    settings: Path
    store: Path
    jobs: int
    blocks: int
    block_files: Callable[[Path], dict[str, bytes]]

    def equals(self, store: Path) -> None:
        """Assert that a store has the same blocks, and the same SHA-256 in its manifests."""
        assert self.block_files(store) == self.block_files(self.store)
        assert self.hashes(store) == self.hashes(self.store)

    def hashes(self, store: Path | str) -> list[str]:
        """Return the SHA-256 of each block's index, which contains those of its files."""
        manifests = [ModelManager(store).manifest(kind, "latest") for kind in self.config.run.kinds]
        return [block.index for manifest in manifests for block in manifest.blocks]


@pytest.fixture(scope="session")
def run_undisturbed(
    tiny_config: Callable[..., Config],
    make_universe: Callable[..., Any],
    block_files: Callable[[Path], dict[str, bytes]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Undisturbed]:
    """Return a function that trains so many symbols in this process: ``run_undisturbed(4, "run.block_symbols=2")``."""

    def run(symbols: int, *settings: str) -> Undisturbed:
        folder = tmp_path_factory.mktemp("undisturbed")
        columns = ("open", "high", "low", "close", "volume")
        bars = [
            pd.DataFrame({"date": each.dates, "symbol": each.symbol, **{name: getattr(each, name) for name in columns}})
            for each in make_universe([f"S{number:02d}" for number in range(symbols)])
        ]
        pd.concat(bars).to_parquet(folder / "bars.parquet")
        config = tiny_config(f"data.bars={json.dumps(str(folder / 'bars.parquet'))}", *settings)
        (folder / "settings.yaml").write_text(config.model_dump_json())
        from training.run.local import run_here

        trainer = ModelTrainer(config, str(folder / "store"))
        plan = trainer.prepare().plan
        queue = run_here(trainer.store.uri, plan.name, JobQueue(plan.jobs, retries=0), lambda _: None)
        for kind in config.run.kinds:
            publish_kind(trainer.models, plan, kind, queue, "auto")
        blocks = sum(len(plan.blocks(kind)) for kind in config.run.kinds)
        return Undisturbed(config, folder / "settings.yaml", folder / "store", len(plan.jobs), blocks, block_files)

    return run


@pytest.fixture(scope="session")
def undisturbed(run_undisturbed: Callable[..., Undisturbed]) -> Undisturbed:
    """Direction of 12 symbols, in blocks of one symbol that take about a second."""
    finetuned = "direction={strategy: finetuned, fit: {epochs: 40, patience: 40}}"
    return run_undisturbed(12, finetuned, "run={kinds: [direction], block_symbols: 1}")


@pytest.fixture(scope="session")
def tiny_run(run_undisturbed: Callable[..., Undisturbed]) -> Undisturbed:
    """Both kinds of four symbols, in the smallest blocks that use every part."""
    return run_undisturbed(4, "run.block_symbols=2")

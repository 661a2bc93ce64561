"""Files that a run uses survive pruning, however old they are and however long the run takes."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from waiting import BOUND_S

from configs.errors import StoreError
from features.store.store import Store
from training.registry.block_files import is_finished
from training.registry.manager import ModelManager
from training.registry.runs import mark_in_use
from training.run.run_plan import read_plan
from training.run.worker import run_job
from training.trainer import ModelTrainer

ROOT = Path(__file__).parents[3]
FIELDS = ("open", "high", "low", "close", "volume")

USE = """
import os, sys
from features.store.store import Store
from training.registry.runs import mark_in_use
store, name = Store(sys.argv[1]), "runs/bars/b.safetensors"
print("ready", flush=True)
sys.stdin.read(1)
for _ in range(500):
    mark_in_use(store, ["runs/bars"])
    if not store.exists(name):
        store.write(name, b"bars")
    assert all(store.read(name) == b"bars" for _ in range(10))
    for one in ("runs/bars/in-use", name, "runs/bars"):
        os.utime(store.path(one), (1, 1))
"""

PRUNE = """
import sys
from training.registry.manager import ModelManager
manager = ModelManager(sys.argv[1])
print("ready", flush=True)
sys.stdin.read(1)
while True:
    print(*manager.prune("direction", keep=1).runs, flush=True)
"""


@pytest.fixture
def trainer(tmp_path, tiny_config, make_universe) -> ModelTrainer:
    folder = tmp_path / "bars"
    folder.mkdir()
    for bars in make_universe(("AAA", "BBB")):
        frame = pd.DataFrame({"date": bars.dates, **{field: getattr(bars, field) for field in FIELDS}})
        frame.to_csv(folder / f"{bars.symbol}.csv", index=False)
    config = tiny_config(f"data.bars={folder}", "direction.strategy=per_symbol", "run.block_symbols=1")
    return ModelTrainer(config, str(tmp_path / "store"))


def age(store: Store) -> None:
    """Make all files of runs look a month old."""
    for path in [*Path(store.path("runs")).rglob("*"), Path(store.path("runs"))]:
        os.utime(path, (path.stat().st_mtime - 30 * 86_400,) * 2)


def test_a_long_run_keeps_its_folders_alive_with_every_job(trainer):
    """Also folders that the job itself does not read: staged bars of later jobs, finished blocks of another kind."""
    store, models = trainer.store, trainer.models
    plan = trainer.prepare().plan
    direction = [job for job in plan.jobs if job.kind == "direction"]
    volatility = [job for job in plan.jobs if job.kind == "volatility"]
    for job in direction:
        run_job(store.uri, plan.name, job)
    age(store)
    run_job(store.uri, plan.name, volatility[0])
    assert models.prune("direction", keep=1).runs == ()
    for job in volatility[1:]:
        age(store)
        run_job(store.uri, plan.name, job)
        assert models.prune("direction", keep=1).runs == ()
    assert all(is_finished(store, job.output) for job in plan.jobs)


def test_pruning_spares_blocks_that_a_new_run_found_finished(trainer):
    store, models = trainer.store, trainer.models
    plan = trainer.prepare().plan
    for job in plan.blocks("direction"):
        run_job(store.uri, plan.name, job)
    age(store)
    again = trainer.prepare()
    assert again.done == {job.output for job in plan.blocks("direction")}
    assert models.prune("direction", keep=1).runs == ()
    age(store)
    kinds = {folder.removeprefix("runs/") for folder in plan.folders}
    assert set(models.prune("direction", keep=1).runs) == kinds


def test_a_missing_input_is_an_error_that_says_what_to_do_and_the_same_command_makes_it_again(trainer):
    store = trainer.store
    plan = trainer.prepare().plan
    job = plan.blocks("direction")[0]
    run_job(store.uri, plan.name, job)
    content = {suffix: store.read(job.output + suffix) for suffix in (".json", ".safetensors", ".test.parquet")}
    for lost in ("bars", "market", "plans"):
        store.delete(f"runs/{lost}")
        store.delete(job.output + ".json")
        read_plan.cache_clear()
        with pytest.raises(StoreError, match=r"Run the same command again\."):
            run_job(store.uri, plan.name, job)
        assert trainer.prepare().plan == plan
        run_job(store.uri, plan.name, job)
        assert {suffix: store.read(job.output + suffix) for suffix in content} == content


@pytest.mark.slow
def test_files_present_after_a_mark_survive_pruning_by_another_process(tmp_path):
    mark_in_use(Store(tmp_path), ["runs/bars"])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for script in (USE, PRUNE)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    using, pruning = processes
    output = using.communicate(timeout=BOUND_S)
    pruning.kill()
    pruned, _ = pruning.communicate(timeout=BOUND_S)
    assert using.returncode == 0, output
    assert pruned.splitlines().count("bars") > 0, "pruning has deleted the folder between two uses"


def test_a_mark_also_protects_a_folder_of_an_object_store():
    store = Store("memory://")
    store.write("runs/bars/b", b"bars")
    mark_in_use(store, ["runs/bars"])
    assert ModelManager(store).prune("direction", keep=1, grace=timedelta(hours=1)).runs == ()

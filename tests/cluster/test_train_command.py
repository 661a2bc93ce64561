"""``fleetcast train`` end to end on Ray: its output, versions, recovery and errors."""

import json
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest
from waiting import BOUND_S, wait_until

from configs import load_config
from features.store.store import Store
from training.registry.manager import ModelManager

pytestmark = pytest.mark.slow

ALL_TRAINED = {"trained": 4, "skipped": [], "failed": []}


def test_log_lines_of_the_command_and_its_workers_are_on_stderr(trained):
    assert " INFO cluster.session: connected to Ray; its head is " in trained.log


def test_the_json_document_is_all_of_stdout_and_complete(trained):
    document = trained.document
    assert set(document) == {"version", "symbols", "metrics", "seconds"}
    assert set(document["version"]) == {"direction", "volatility"}
    assert document["symbols"]["trained"] == 6
    assert [skipped["symbol"] for skipped in document["symbols"]["skipped"]] == ["FB"]
    assert "196 bars; at least 300 are needed" in document["symbols"]["skipped"][0]["reason"]
    assert document["symbols"]["failed"] == []
    direction, volatility = document["metrics"]["direction"], document["metrics"]["volatility"]
    for baseline in ("prior", "logistic"):
        assert direction[f"log_loss_vs_{baseline}_se"] > 0
    for baseline in ("ewma", "garch", "log_har", "log_har_pooled"):
        assert volatility[f"qlike_vs_{baseline}_se"] > 0
    assert volatility["qlike"] < volatility["qlike_ewma"]
    assert set(document["seconds"]) == {"prepare", "train", "publish"}


def test_the_first_version_is_champion_and_contains_its_configuration(trained):
    models = ModelManager(Store(trained.store))
    for kind, version in trained.document["version"].items():
        assert models.aliases(kind).champion == version
        manifest = models.manifest(kind, version)
        roster = models.roster(kind, version)
        assert roster.symbols() == ["AAPL", "GOOG", "IBM", "MSFT", "^GSPC", "^IXIC"]
        assert manifest.config == load_config("smoke").of_models()
        assert roster.reasons("skipped").keys() == {"FB"}
        assert manifest.notes["periods"]["test"][0] == "2011-01-03"


def test_the_same_command_again_only_shows_the_leaderboard(block_files, trained, call):
    before = block_files(trained.store)
    again = call("train", "--preset", "smoke", "--store", str(trained.store))
    assert again.code == 0, again.err
    assert "10 of 10 jobs finished before" in again.out
    assert "it is the champion already" in again.out
    assert block_files(trained.store) == before
    assert ModelManager(Store(trained.store)).versions("direction") == [trained.document["version"]["direction"]]
    for kind in ("direction", "volatility"):
        assert f"{kind}: untouched test period" in again.out
    assert all(text in again.out for text in ("pooled log-HAR", "class prior", "±", "FB", "196 bars"))


def busy_worker() -> psutil.Process | None:
    """Return a worker, of the cluster that this process has started, that has begun to import or fit."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "RayTrainWorker" in " ".join(process.cmdline()) and process.cpu_times().user > 3.0:
                return process
    return None


def test_a_killed_command_continues_on_a_cluster_and_a_killed_worker_changes_no_result(
    tiny_run, start, ray_cluster, tmp_path
):
    """Killed together with the Ray that it had started; repeated on a cluster, which it joins and leaves running."""
    import ray

    store = tmp_path / "store"
    command = ("train", "--config", str(tiny_run.settings), "--store", str(store), "--json")

    def indices():
        return set((store / "runs").glob("*-*/*.json"))

    process = start(*command, "--set", "run.workers=1")
    wait_until(lambda: indices() or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    for one in (*psutil.Process(process.pid).children(recursive=True), process):
        with suppress(psutil.Error):
            one.kill()  # like a power cut: a worker that outlives its command would go on to the last job
    process.communicate()
    finished = indices()
    assert finished
    assert not (store / "models").exists(), "nothing is published before all jobs are finished"

    wait_until(lambda: ray.available_resources().get("CPU") == 2)  # no worker of another test is left
    process = start(*command, "--address", ray.get_runtime_context().gcs_address)
    worker = wait_until(lambda: process.poll() is not None or busy_worker())
    assert isinstance(worker, psutil.Process), process.communicate()
    worker.kill()
    out, err = process.communicate(timeout=BOUND_S)
    assert process.returncode == 0, err
    assert json.loads(out)["symbols"] == ALL_TRAINED
    tiny_run.equals(store)
    assert ray.cluster_resources()["CPU"] == 2


def test_without_a_symbol_to_train_the_exit_code_is_2_and_reasons_are_given(call, tmp_path):
    done = call("train", "--preset", "smoke", "--symbols", "FB,NOPE", "--store", str(tmp_path / "s"), "--json")
    assert done.code == 2
    assert done.out == ""
    assert "no symbol can be trained (FB: 196 bars" in done.err and "Traceback" not in done.err


def test_a_missing_gpu_is_one_line(call, ray_cluster, tmp_path):
    done = call(
        "train", "--preset", "smoke", "--set", "run.use_gpu=true", "--store", str(tmp_path / "s"), "--symbols", "AAPL"
    )
    assert done.code == 2
    assert "the cluster has no GPU" in done.err and "--set run.use_gpu=false" in done.err
    assert "Traceback" not in done.err


def test_an_ablation_says_what_embedded_series_and_headlines_add(call, ray_cluster, tmp_path):
    store = ("--store", str(tmp_path / "s"))
    for kind in ("macro", "text"):
        assert call("data", "import", "--kind", kind, "embedded", *store).code == 0
    small = ("--preset", "smoke", "--symbols", "AAPL,MSFT", "--kinds", "volatility", "--set", "run.workers=1", *store)
    command = ("ablation", *small, "--set", "volatility.members=[boosting]", "--set", "features.max_features=null")
    done = call(*command)
    assert done.code == 0, done.err
    assert "the test period is not read" in done.out
    for words in (
        "fitted up to 200",
        "scored on 2010-01-04 to 2010-12-31",
        "volatility: 2 symbols",
        "sentiment",
        "macro",
    ):
        assert words in done.out
    again = call(*command, "--json")
    document = json.loads(again.out)
    jobs = document["fits"]["jobs"]
    assert document["fits"] == {"jobs": jobs, "done_now": 0, "failed": {}}, "everything was stored"
    assert f"{jobs} of {jobs} fits done now" in done.out
    assert document["comparisons"] in done.out and "Corrected for 3 comparisons" in document["comparisons"]
    assert [effect["groups"] for effect in document["effects"]] == [["sentiment"], ["macro"], ["sentiment", "macro"]]
    for effect in document["effects"]:
        assert effect["metric"] == "qlike" and effect["symbols"] == 2 and effect["standard_error"] > 0
        assert effect["known"] == 1.0 and effect["known_in_training"] > 0.3
        assert effect["difference"] == pytest.approx(effect["with"] - effect["without"], abs=1e-12)
    assert not (tmp_path / "s" / "models").exists(), "nothing is published"


def test_an_unknown_group_is_refused_before_anything_heavy_is_imported(tmp_path):
    code = (
        "import sys\nfrom cluster.cli import app\nfrom configs.errors import ConfigError\n"
        f"command = ['train', '--without', 'macro,nonsense', '--store', {str(tmp_path / 'store')!r}]\n"
        "try: app(command, standalone_mode=False)\n"
        "except ConfigError as error: print(error)\n"
        "print(sorted({'numpy', 'pandas', 'pyarrow', 'ray', 'tensorflow'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert found[0].startswith(
        "--without macro,nonsense: features.without has value ['macro', 'nonsense']: 'nonsense' is"
    )
    assert found[1:] == ["[]"] and not (tmp_path / "store").exists()

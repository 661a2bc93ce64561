"""The doctor finds deliberate faults, on a real cluster of two nodes, and nothing where there is none.

A server that joins this cluster is tested here too, because the cluster is running.
"""

import json
import signal
import time

import numpy as np
import pytest
from raw_http import answer, stalled
from ray.cluster_utils import Cluster
from waiting import BOUND_S

from cluster.doctor import _node, _source_bars, check_installation
from cluster.jobs.node_check import examine, probe
from cluster.ports import free_port
from features.store.lake import Lake
from features.store.store import Store
from training.registry.layout import kind_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two_nodes():
    """The address of a cluster of two nodes, one of which claims to have a GPU."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1, num_gpus=1)
    yield cluster.address
    cluster.shutdown()


def fresh_lake(store, make_universe, late_days=0):
    today = np.datetime64("today", "D") - late_days
    for bars in make_universe(("AAA", "BBB"), bars=400):
        days = np.busday_offset(today, np.arange(-400, 0), roll="backward").astype("datetime64[ns]")
        Lake(store).append(type(bars)(bars.symbol, days, *(getattr(bars, name) for name in PRICES), True, True))


PRICES = ("open", "high", "low", "close", "volume")


def test_every_node_is_examined_and_a_missing_gpu_is_found(fleetcast, two_nodes, make_universe, tmp_path):
    fresh_lake(Store(tmp_path / "store"), make_universe)
    done = fleetcast("doctor", "--json", "--store", str(tmp_path / "store"), "--address", two_nodes)
    assert done.out, done.err
    found = [(each["check"], each["state"], each["found"]) for each in json.loads(done.out)["findings"]]
    nodes = [finding for finding in found if finding[0] == "node"]
    assert done.code == 1 and len(nodes) == 2
    assert sorted(state for _, state, _ in nodes) == ["ok", "problem"]
    assert any("1 GPU, but TensorFlow sees none" in text for _, _, text in nodes)
    assert any("2 nodes" in text for check, _, text in found if check == "cluster")
    assert ("models", "warning", "there are none") in found
    assert [state for check, state, _ in found if check == "bars"] == ["ok"]


def test_a_server_on_a_cluster_that_others_started_limits_the_time_of_headers(start, two_nodes, smoke_store):
    place, port = ("--store", str(smoke_store), "--address", two_nodes), free_port()
    process = start("serve", *place, "--port", str(port), "--set", "serve.header_timeout_s=1")
    try:
        assert any("stop " in line for line in process.stdout), process.stderr.read()
        with stalled(f"http://127.0.0.1:{port}", 1, b"GET /v1/health/live HTTP/1.1\r\nHost: x") as [connection]:
            assert answer(connection, 10)[0] == 408, "the default is 10 s"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=BOUND_S)


def test_faults_of_the_store_are_found_without_a_cluster(call, make_universe, tmp_path):
    store = Store(tmp_path / "store")
    fresh_lake(store, make_universe, late_days=40)
    Lake(store).append(make_universe(("CCC",), bars=300)[0])
    folder = f"{kind_folder('direction')}/20260102T030405Z-aaaaaa"
    store.write(f"{folder}/manifest.json", b"{broken")
    store.write_json(f"{kind_folder('direction')}/aliases.json", {"champion": "20260102T030405Z-aaaaaa"})
    done = call("doctor", "--store", store.root, "--address", "127.0.0.1:9")
    assert done.code == 1 and "PROBLEM  cluster: nothing answers" in done.out, done.out
    assert "PROBLEM  models: direction" in done.out and "fleetcast models rollback" in done.out
    assert "are missing)" in done.out and "fleetcast data fetch" in done.out
    assert "1 symbol ends more than 7 days before the newest bar (CCC)" in done.out


def test_a_store_that_cannot_be_written_is_found(tmp_path):
    (tmp_path / "file").write_text("")
    assert "folder" in probe(str(tmp_path / "file"))[0]
    assert probe(str(tmp_path)) == ("", False) and list((tmp_path / "probes").iterdir()) == []
    assert probe(str(tmp_path / "new" / "store")) == ("", False) and not (tmp_path / "new").exists()
    (tmp_path / "taken").write_text("")
    assert probe(str(tmp_path / "taken" / "store"))[0]


def test_a_full_disk_is_to_be_freed_and_what_it_has_is_checked(make_universe, tmp_path, file_size_limit):
    store = Store(tmp_path / "store")
    fresh_lake(store, make_universe)
    with file_size_limit(0):
        first, *others = check_installation(store.root, "127.0.0.1:9")
    assert (first.check, first.state) == ("store", "problem") and "Free some space" in first.found
    assert "fleetcast models prune" in first.remedy and "--store" not in first.remedy
    assert [(one.check, one.state) for one in others] == [("models", "warning"), ("bars", "ok"), ("cluster", "problem")]


def test_the_full_disk_of_a_node_is_to_be_freed(tmp_path):
    ours, since = examine(str(tmp_path), devices=False), time.time()
    facts = ours | {"clock": since, "store": "cannot write: the disk is full", "disk_full": True}
    [found] = _node("there", {"CPU": 1}, facts, ours, since)
    assert found.state == "problem" and "models prune" in found.remedy


def test_a_store_that_does_not_exist_is_reported_and_not_made(call, tmp_path):
    done = call("doctor", "--store", str(tmp_path / "none"), "--address", "127.0.0.1:9")
    assert f"warning  store: there is none at {tmp_path / 'none'}" in done.out and "--store" in done.out
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"python": "3.9.1"}, "Python 3.9.1"),
        ({"libraries": {"numpy": "1.0"}}, "numpy 1.0 instead of"),
        ({"code": "other"}, "other code"),
        ({"store": "cannot write"}, "cannot write"),
        ({"clock": 0.0}, "clock"),
    ],
)
def test_a_node_that_differs_is_found(tmp_path, change, says):
    ours = examine(str(tmp_path), devices=False)
    since = time.time()
    [fine] = _node("here", {"CPU": 1}, ours | {"clock": since}, ours, since)
    assert fine.state == "ok"
    found = list(_node("there", {"CPU": 1}, ours | {"clock": since} | change, ours, since))
    assert len(found) == 1 and says in found[0].found and found[0].remedy


def test_the_age_of_bars_outside_the_lake_is_reported(smoke_store):
    (finding,) = _source_bars(Store(smoke_store))
    assert finding.state == "warning" and "fleetcast data import" in finding.remedy
    assert finding.found.startswith("embedded, which the direction champion is served from: bars end on 2013-03-01, ")

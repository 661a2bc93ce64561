"""`fleetcast serve` as users run it: a separate process, real Ray Serve, real HTTP, real faults."""

import os
import shutil
import signal
from contextlib import ExitStack

import httpx2
import psutil
import pytest
from raw_http import ask, stalled
from running_server import SYMBOLS, Server, constant_load, living
from waiting import BOUND_S, wait_until

from cluster.ports import free_port
from serving.answers import KINDS
from serving.client import FleetcastClient, ServerError
from serving.journal import open_journal
from serving.journal.reading import read_predictions
from serving.web.keys import add_key
from training import ModelManager

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(start, trained_store, tmp_path_factory):
    """Two replicas behind the fast ingress, with API keys and a journal."""
    folder = tmp_path_factory.mktemp("service")
    shutil.copytree(trained_store, folder / "store")
    key, port = add_key(folder / "keys", "tests"), free_port()
    settings = (
        "serve.replicas=2",
        "serve.cpus_per_replica=0.5",
        "serve.poll_s=0.5",
        "serve.requests_per_minute=1000000",
    )
    options = [part for setting in settings for part in ("--set", setting)]
    process = start(
        *("serve", "--store", str(folder / "store"), "--port", str(port), "--api-key-file", str(folder / "keys")),
        "--journal",
        *options,
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "stop " in line:
            break
    else:
        pytest.fail(f"the server exited: {lines} {process.stderr.read()}")
    yield Server(process, f"http://127.0.0.1:{port}", folder / "store", key, folder / "keys", lines)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(BOUND_S)


def test_it_answers_clients_with_a_valid_key_only(server):
    with server.client() as client:
        found = client.predict(SYMBOLS)
        assert [prediction.symbol for prediction in found] == SYMBOLS
        assert all(prediction.error is None for prediction in found)
        assert client.stats()["health"]["status"] == "stale"
        assert {facts["kind"] for facts in client.models()} == set(KINDS)
    with (
        FleetcastClient(server.url, key="wrong") as stranger,
        pytest.raises(ServerError, match="valid API key") as refused,
    ):
        stranger.predict(SYMBOLS)
    assert refused.value.status == 401


def test_metrics_are_exported_to_prometheus(server):
    place = next(line.split()[1] for line in server.lines if "Prometheus" in line)
    with server.client() as client:
        client.predict([*SYMBOLS, "nosuch"])
    wanted = ("fleetcast_request_seconds", "fleetcast_predictions", "fleetcast_errors", 'code="unknown_symbol"')
    wanted += ("fleetcast_journal_written",)
    wait_until(lambda: all(name in httpx2.get(place, timeout=BOUND_S).text for name in wanted))


def test_what_both_replicas_serve_is_in_the_journal_once(server):
    def served():
        with open_journal(store=server.store) as journal, journal.connect() as connection:
            frames = [read_predictions(connection, kind) for kind in KINDS]
        assert all(frame["symbol"].is_unique or frame["version"].nunique() > 1 for frame in frames)
        return sum(int(frame["times_served"].sum()) for frame in frames)

    before = served()
    with server.client() as client:
        for _ in range(20):
            client.predict(SYMBOLS)
        wait_until(lambda: served() >= before + 20 * len(SYMBOLS) * len(KINDS))
        assert client.stats()["journal"]["dropped"] == 0
        monitored = client.monitoring()
        assert set(monitored["kinds"]) == set(KINDS) and not monitored["alarm"]
        assert monitored["kinds"]["direction"]["quality"]["pending"] > 0
        assert client.bot()["bots"] == [], "none has run on this journal"


def test_the_ingress_listens_on_loopback_only(server):
    family = psutil.Process(server.process.pid).children(recursive=True)
    listening = [
        (process.name(), connection.laddr.ip)
        for process in family
        if process.name().startswith("haproxy")
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3 and {ip for _, ip in listening} == {"127.0.0.1"}
    http_port = int(server.url.rpartition(":")[2])
    all_connections = [connection for process in living(family) for connection in process.net_connections("inet")]
    hosts = {
        connection.laddr.ip for connection in all_connections if connection.laddr and connection.laddr.port == http_port
    }
    assert hosts == {"127.0.0.1"}


def test_clients_that_stop_in_the_middle_keep_no_one_out(server):
    key, other = (f"Authorization: Bearer {one}" for one in (server.key, add_key(server.keys, "other")))
    # Each replica reads the file of keys again at a time of its own.
    wait_until(lambda: all(ask(server.url, "/v1/symbols", other)[0] == 200 for _ in range(20)))
    body = f"POST /v1/predictions HTTP/1.1\r\nHost: a\r\n{key}\r\nContent-Length: 100\r\n\r\n{{".encode()
    with stalled(server.url, 600, b"GET / HTTP/1.1\r\nX-A"), ExitStack() as unfinished:

        def key_is_refused():
            unfinished.enter_context(stalled(server.url, 600, body))  # the earlier ones end after body_timeout_s
            return ask(server.url, "/v1/symbols", key)[0] == 429

        wait_until(key_is_refused)
        for path in ("/v1/health/live", "/v1/symbols"):
            assert ask(server.url, path, other)[0] == 200


def test_promotions_and_rollbacks_are_followed_within_seconds_and_fail_no_request(server):
    manager = ModelManager(server.store)
    versions = manager.versions("direction")
    with server.client() as client, constant_load(server) as outcomes:

        def all_serve(version):
            return {client.predict(["AAA"])[0].direction.version for _ in range(6)} == {version}

        for turn in range(4):
            wanted = versions[(turn + 1) % 2]
            if turn % 2:
                manager.rollback("direction")
            else:
                manager.promote("direction", wanted, "test")
            wait_until(lambda wanted=wanted: all_serve(wanted), 60)
    assert {status for status, _ in outcomes} == {200}
    assert len(outcomes) > 50
    assert all(len(versions) == 2 for _, versions in outcomes), "a response mixed versions"


def test_a_killed_replica_fails_under_one_percent_of_requests_and_is_replaced(server):
    wait_until(lambda: len(server.replicas()) == 2)
    victim = server.replicas()[0]
    with constant_load(server) as outcomes:
        wait_until(lambda: len(outcomes) > 20)
        victim.kill()
        wait_until(lambda: len(server.replicas()) == 2 and victim not in server.replicas())
        enough = len(outcomes) + 500
        wait_until(lambda: len(outcomes) > enough)
    failed = [status for status, _ in outcomes if status not in (200, 429)]
    assert len(failed) < 0.01 * len(outcomes), (failed, len(outcomes))


def test_a_store_that_is_unreachable_for_a_while_fails_no_request(server):
    with server.client() as client, constant_load(server, 2) as outcomes:
        away = server.store.with_name("away")
        os.rename(server.store, away)
        wait_until(lambda: client.stats()["health"]["status"] == "degraded")
        os.rename(away, server.store)
        wait_until(lambda: client.stats()["health"]["status"] == "stale")
    assert {status for status, _ in outcomes} == {200}


def test_it_drains_and_leaves_no_process_running(server):
    family = psutil.Process(server.process.pid).children(recursive=True)
    with constant_load(server, 2) as outcomes:
        wait_until(lambda: len(outcomes) > 10)
        answered = len(outcomes)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(BOUND_S) == 0
    assert server.process.stdout.read().endswith("draining\n")
    assert "Task ServeController" not in server.process.stderr.read()
    # Each client had one request in progress. A later request may reach a socket that is being closed.
    assert [status for status, _ in outcomes[answered : answered + 2]] == [200, 200]
    _, alive = psutil.wait_procs(family, 120)
    assert list(living(alive)) == []
    with server.client(retries=0) as client, pytest.raises(ServerError, match="no server answers"):
        client.symbols()

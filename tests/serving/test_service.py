"""`fleetcast serve` as users run it: a separate process, real Ray Serve, real HTTP, real faults."""

import json
import os
import shutil
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress

import httpx2
import psutil
import pytest
from raw_http import address_of, ask, stalled
from raw_http import answer as answer_of

from cluster.ports import free_port
from configs.errors import ConfigError
from serving.answers import KINDS
from serving.client import FleetcastClient, ServerError
from serving.journal import open_journal
from serving.journal.reading import read_predictions
from serving.web.keys import add_key
from training import ModelManager

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]
EXIT_TIMEOUT_S = 60


def living(processes, name=""):
    """Yield the running processes with this in their name; any may exit at any moment."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if name in process.name() and process.status() != psutil.STATUS_ZOMBIE:
                yield process


class Server:
    """A running server, its store, an API key and the lines that it printed."""

    def __init__(self, process, url, store, key, keys, lines):
        self.process, self.url, self.store, self.lines = process, url, store, lines
        self.key, self.keys = key, keys

    def client(self, **options):
        return FleetcastClient(self.url, key=self.key, **options)

    def replicas(self):
        family = psutil.Process(self.process.pid).children(recursive=True)
        return list(living(family, "ServeRepl"))


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
        process.wait(EXIT_TIMEOUT_S)


@contextmanager
def constant_load(server, clients=4):
    """Send requests all the time, and yield the outcomes: each answer's status, or the error's name, and versions."""
    outcomes, stop = [], threading.Event()

    def ask():
        with httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.key}"}, timeout=30) as http:
            while not stop.is_set():
                try:
                    answer = http.post("/v1/predictions", json={"symbols": SYMBOLS})
                except httpx2.TransportError as error:
                    outcomes.append((type(error).__name__, ()))
                    continue
                outcomes.append((answer.status_code, versions_in(answer)))

    def versions_in(answer):
        if answer.status_code != 200:
            return ()
        body = answer.json()
        assert all(item["error"] is None for item in body["predictions"])
        return {(kind, item[kind]["version"]) for item in body["predictions"] for kind in KINDS}

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timeout"
        time.sleep(0.1)


@pytest.mark.slow
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


@pytest.mark.slow
def test_metrics_are_exported_to_prometheus(server):
    place = next(line.split()[1] for line in server.lines if "Prometheus" in line)
    with server.client() as client:
        client.predict([*SYMBOLS, "nosuch"])
    wanted = ("fleetcast_request_seconds", "fleetcast_predictions", "fleetcast_errors", 'code="unknown_symbol"')
    wanted += ("fleetcast_journal_written",)
    wait_until(lambda: all(name in httpx2.get(place).text for name in wanted), 60)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_clients_that_stop_in_the_middle_keep_no_one_out(server):
    key, other = (f"Authorization: Bearer {one}" for one in (server.key, add_key(server.keys, "other")))
    wait_until(lambda: ask(server.url, "/v1/symbols", other)[0] == 200)
    body = f"POST /v1/predictions HTTP/1.1\r\nHost: a\r\n{key}\r\nContent-Length: 100\r\n\r\n{{".encode()
    with stalled(server.url, 600, b"GET / HTTP/1.1\r\nX-A"), stalled(server.url, 600, body):
        for path in ("/v1/health/live", "/v1/symbols"):
            status, seconds = ask(server.url, path, other)
            assert status == 200 and seconds < 5
        assert ask(server.url, "/v1/symbols", key)[0] == 429, "both replicas have as many as a key may"


@pytest.mark.slow
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
            wait_until(lambda wanted=wanted: all_serve(wanted), 10)
    assert {status for status, _ in outcomes} == {200}
    assert len(outcomes) > 50
    assert all(len(versions) == 2 for _, versions in outcomes), "a response mixed versions"


@pytest.mark.slow
def test_a_killed_replica_fails_under_one_percent_of_requests_and_is_replaced(server):
    wait_until(lambda: len(server.replicas()) == 2)
    victim = server.replicas()[0]
    with constant_load(server) as outcomes:
        wait_until(lambda: len(outcomes) > 20)
        victim.kill()
        killed = time.monotonic()
        wait_until(lambda: len(server.replicas()) == 2 and victim not in server.replicas(), 60)
        wait_until(lambda: time.monotonic() > killed + 5)
    failed = [status for status, _ in outcomes if status not in (200, 429)]
    assert len(failed) < 0.01 * len(outcomes), (failed, len(outcomes))


@pytest.mark.slow
def test_a_store_that_is_unreachable_for_a_while_fails_no_request(server):
    with server.client() as client, constant_load(server, 2) as outcomes:
        away = server.store.with_name("away")
        os.rename(server.store, away)
        wait_until(lambda: client.stats()["health"]["status"] == "degraded")
        os.rename(away, server.store)
        wait_until(lambda: client.stats()["health"]["status"] == "stale")
    assert {status for status, _ in outcomes} == {200}


@pytest.mark.slow
def test_it_drains_and_leaves_no_process_running(server):
    family = psutil.Process(server.process.pid).children(recursive=True)
    with constant_load(server, 2) as outcomes:
        wait_until(lambda: len(outcomes) > 10)
        answered = len(outcomes)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(EXIT_TIMEOUT_S) == 0
    assert server.process.stdout.read().endswith("draining\n")
    assert "Task ServeController" not in server.process.stderr.read()
    # Each client had one request in progress. A later request may reach a socket that is being closed.
    assert [status for status, _ in outcomes[answered : answered + 2]] == [200, 200]
    _, alive = psutil.wait_procs(family, 15)
    assert list(living(alive)) == []
    with server.client(retries=0) as client, pytest.raises(ServerError, match="no server answers"):
        client.symbols()


def test_mistakes_are_one_line_errors_and_start_nothing(call, trained_store, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, says in (
            (("--store", str(tmp_path)), "Make one with `fleetcast train`"),
            (("--alias", "nosuch"), "'nosuch' is no version of"),
            (("--host", "0.0.0.0"), "fleetcast keys add"),
            (("--api-key-file", str(tmp_path / "none")), "cannot be read"),
            (("--port", port), f"cannot listen at 127.0.0.1:{port}"),
            (("--set", "serve.replicas=0"), "serve.replicas"),
        ):
            store = () if "--store" in arguments else ("--store", str(trained_store))
            done = call("serve", *store, *arguments)
            assert done.code == 2 and says in done.err.splitlines()[-1], done
            assert "Traceback" not in done.err


@pytest.fixture(scope="module")
def sharded(start, trained_store):
    """The URL of two shards behind a router with a short queue, on Serve's own proxy."""
    port = free_port()
    settings = (
        *("serve.shard_symbols=3", "serve.cpus_per_replica=0.5", "serve.fast_ingress=false"),
        *("serve.max_ongoing=4", "serve.max_queued=4"),
    )
    options = [part for setting in settings for part in ("--set", setting)]
    process = start("serve", "--store", str(trained_store), "--port", str(port), *options)
    try:
        assert any("stop " in line for line in process.stdout), process.stderr.read()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=EXIT_TIMEOUT_S)


@pytest.mark.slow
def test_more_symbols_than_a_replica_may_have_are_sharded(sharded, engine):
    with FleetcastClient(sharded) as client:
        found = client.predict([*SYMBOLS[::-1], "nosuch"])
        assert [prediction.symbol for prediction in found] == [*SYMBOLS[::-1], "nosuch"]
        for prediction in found[:5]:
            ours = engine.snapshot.prediction(prediction.symbol)
            assert prediction.volatility.annualised == pytest.approx(ours.volatility.annualised, rel=1e-5)
            assert prediction.direction.probabilities.up == pytest.approx(ours.direction.probabilities.up, rel=1e-5)
        assert found[5].error.code == "unknown_symbol"
        assert len(client.stats()["shards"]) == 2
        assert [facts["symbol"] for facts in client.symbols()] == SYMBOLS


@pytest.mark.slow
def test_requests_beyond_the_queue_get_429_with_retry_after(sharded, bars_of, rows_of):
    rows, answers = rows_of(bars_of("AAA", 480)), []

    def ask(turn):
        with httpx2.Client(base_url=sharded, timeout=60) as http:
            for i in range(6):  # different bars each time: the same bars would be answered from the cache
                answers.append(http.post("/v1/predictions", json={"bars": {"AAA": rows[6 * turn + i :]}}))

    threads = [threading.Thread(target=ask, args=(turn,)) for turn in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200, 429}
    for answer in answers:
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) >= 1
        else:
            assert answer.json()["predictions"][0]["error"] is None
    with FleetcastClient(sharded) as client:  # which waits and retries
        assert client.predict(["AAA"])[0].error is None


@pytest.mark.slow
@pytest.mark.parametrize("length", ["Transfer-Encoding: chunked", f"Content-Length: {2**26}"])
def test_a_body_that_is_too_large_is_not_kept_in_memory_by_serves_proxy(sharded, length):
    proxy = _listener(int(sharded.rpartition(":")[2]))
    head = f"POST /v1/predictions HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n\r\n".encode()
    before, sent, statuses = proxy.memory_info().rss, 0, []
    with socket.create_connection(address_of(sharded), 10) as one:
        with suppress(ConnectionError):
            one.sendall(head)
            while sent < 2**28:  # the server stops reading, answers and closes
                sent += one.send(b"100000\r\n" + b" " * 2**20 + b"\r\n")
                statuses.append(ask(sharded)[0])
        assert answer_of(one)[0] == 413
    assert proxy.memory_info().rss - before < 2**26 and sent < 2**26
    assert set(statuses) == {200}
    with FleetcastClient(sharded) as client:
        assert client.predict(["AAA"])[0].error is None


def _listener(port):
    """Return the process that listens at a port."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(each.status == "LISTEN" and each.laddr.port == port for each in process.net_connections()):
                return process
    raise AssertionError(f"no process listens at {port}")


def test_the_arguments_are_json_that_a_serve_config_can_hold(trained_store):
    from serving.app import Arguments

    given = Arguments(store=str(trained_store), config={"replicas": 2})
    assert Arguments.model_validate(json.loads(given.model_dump_json())) == given
    with pytest.raises(ValueError, match="replica"):
        Arguments(store="x", config={"replica": 2})
    assert issubclass(ServerError, ConfigError.__mro__[1])

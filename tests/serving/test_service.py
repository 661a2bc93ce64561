"""`fleetcast serve` as users run it: another process, real Ray Serve, real HTTP, real faults."""

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

from cluster.ports import free_port
from configs.errors import ConfigError
from serving.client import FleetcastClient, ServerError
from serving.web.keys import add_key
from training import ModelManager

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]
ENDS_S = 60


def living(processes, name=""):
    """Yield those that have this in their name; any may end at any moment."""
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            if name in one.name() and one.status() != psutil.STATUS_ZOMBIE:
                yield one


class Server:
    """A running server, and what belongs to it."""

    def __init__(self, process, url, store, key, said):
        self.process, self.url, self.store, self.key, self.said = process, url, store, key, said

    def client(self, **options):
        return FleetcastClient(self.url, key=self.key, **options)

    def replicas(self):
        family = psutil.Process(self.process.pid).children(recursive=True)
        return list(living(family, "ServeRepl"))


@pytest.fixture(scope="module")
def server(start, trained_store, tmp_path_factory):
    """Two replicas behind the fast ingress, asking for a key."""
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
        *options,
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if "stop " in line:
            break
    else:
        pytest.fail(f"the server ended: {said} {process.stderr.read()}")
    yield Server(process, f"http://127.0.0.1:{port}", folder / "store", key, said)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(ENDS_S)


@contextmanager
def constant_load(server, clients=4):
    """Ask all the time, and yield the outcomes: a status, or the error's name, and the versions of each answer."""
    outcomes, stop = [], threading.Event()

    def ask():
        with httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.key}"}, timeout=30) as http:
            while not stop.is_set():
                try:
                    answer = http.post("/v1/predictions", json={"symbols": SYMBOLS})
                except httpx2.TransportError as error:
                    outcomes.append((type(error).__name__, ()))
                    continue
                outcomes.append((answer.status_code, seen(answer)))

    def seen(answer):
        if answer.status_code != 200:
            return ()
        body = answer.json()
        assert all(one["error"] is None for one in body["predictions"])
        return {(kind, one[kind]["version"]) for one in body["predictions"] for kind in ("direction", "volatility")}

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_until(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.1)


def test_it_answers_whoever_has_a_key(server):
    with server.client() as client:
        found = client.predict(SYMBOLS)
        assert [one.symbol for one in found] == SYMBOLS and all(one.error is None for one in found)
        assert client.stats()["health"]["status"] == "ok"
        assert {one["kind"] for one in client.models()} == {"direction", "volatility"}
    with (
        FleetcastClient(server.url, key="wrong") as stranger,
        pytest.raises(ServerError, match="valid API key") as refused,
    ):
        stranger.predict(SYMBOLS)
    assert refused.value.status == 401


def test_metrics_are_exported_to_prometheus(server):
    place = next(line.split()[1] for line in server.said if "Prometheus" in line)
    with server.client() as client:
        client.predict([*SYMBOLS, "nosuch"])
    wanted = ("fleetcast_request_seconds", "fleetcast_predictions", "fleetcast_errors", 'code="unknown_symbol"')
    wait_until(lambda: all(name in httpx2.get(place).text for name in wanted), 60)


def test_nothing_of_the_ingress_listens_beyond_this_machine(server):
    family = psutil.Process(server.process.pid).children(recursive=True)
    listening = [
        (one.name(), connection.laddr.ip)
        for one in family
        if one.name().startswith("haproxy")
        for connection in one.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3 and {ip for _, ip in listening} == {"127.0.0.1"}
    http_port = int(server.url.rpartition(":")[2])
    held = [connection for one in living(family) for connection in one.net_connections("inet")]
    hosts = {connection.laddr.ip for connection in held if connection.laddr and connection.laddr.port == http_port}
    assert hosts == {"127.0.0.1"}


def test_promotions_and_rollbacks_are_followed_within_seconds_and_fail_nobody(server):
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
    assert all(len(seen) == 2 for _, seen in outcomes), "a response mixed versions"


def test_a_killed_replica_costs_next_to_nothing_and_comes_back(server):
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


def test_a_store_that_is_gone_for_a_while_fails_nobody(server):
    with server.client() as client, constant_load(server, 2) as outcomes:
        away = server.store.with_name("away")
        os.rename(server.store, away)
        wait_until(lambda: client.stats()["health"]["status"] == "degraded")
        os.rename(away, server.store)
        wait_until(lambda: client.stats()["health"]["status"] == "ok")
    assert {status for status, _ in outcomes} == {200}


def test_it_drains_and_leaves_no_process_behind(server):
    family = psutil.Process(server.process.pid).children(recursive=True)
    with constant_load(server, 2) as outcomes:
        wait_until(lambda: len(outcomes) > 10)
        at_work = len(outcomes)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(ENDS_S) == 0
    # One request of each client was at work then. What is sent later may meet a socket that is just being closed.
    assert [status for status, _ in outcomes[at_work : at_work + 2]] == [200, 200]
    _, alive = psutil.wait_procs(family, 15)
    assert list(living(alive)) == []
    with server.client(retries=0) as client, pytest.raises(ServerError, match="no server answers"):
        client.symbols()


def test_mistakes_are_one_line_and_start_nothing(call, trained_store, tmp_path):
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
    """The URL of two shards behind a router that takes few requests at once, on Serve's own proxy."""
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
        process.communicate(timeout=ENDS_S)


def test_more_symbols_than_a_replica_should_hold_are_sharded(sharded, engine):
    with FleetcastClient(sharded) as client:
        found = client.predict([*SYMBOLS[::-1], "nosuch"])
        assert [one.symbol for one in found] == [*SYMBOLS[::-1], "nosuch"]
        for one in found[:5]:
            ours = engine.snapshot.prediction(one.symbol)
            assert one.volatility.annualised == pytest.approx(ours.volatility.annualised, rel=1e-5)
            assert one.direction.probabilities.up == pytest.approx(ours.direction.probabilities.up, rel=1e-5)
        assert found[5].error.code == "unknown_symbol"
        assert len(client.stats()["shards"]) == 2
        assert [one["symbol"] for one in client.symbols()] == SYMBOLS


def test_who_comes_while_all_are_busy_is_told_when_to_come_again(sharded, bars_of):
    bars = bars_of("AAA", 480)
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    days = bars.dates.astype("datetime64[D]").astype(str).tolist()
    rows = [[day, *values] for day, *values in zip(days, *(column.tolist() for column in columns), strict=True)]
    answers = []

    def ask(turn):
        with httpx2.Client(base_url=sharded, timeout=60) as http:
            for i in range(6):  # other bars each time, as the same ones would be answered from the cache
                answers.append(http.post("/v1/predictions", json={"bars": {"AAA": rows[6 * turn + i :]}}))

    threads = [threading.Thread(target=ask, args=(turn,)) for turn in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.status_code for one in answers} == {200, 429}
    assert all(int(one.headers["Retry-After"]) >= 1 for one in answers if one.status_code == 429)
    assert all(one.json()["predictions"][0]["error"] is None for one in answers if one.status_code == 200)
    with FleetcastClient(sharded) as client:  # which waits and comes again
        assert client.predict(["AAA"])[0].error is None


def test_the_arguments_are_json_that_a_serve_config_can_hold(trained_store):
    from serving.app import Arguments

    given = Arguments(store=str(trained_store), config={"replicas": 2})
    assert Arguments.model_validate(json.loads(given.model_dump_json())) == given
    with pytest.raises(ValueError, match="replica"):
        Arguments(store="x", config={"replica": 2})
    assert issubclass(ServerError, ConfigError.__mro__[1])

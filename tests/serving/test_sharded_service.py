"""`fleetcast serve` in shards, and with more requests or larger bodies than it takes."""

import signal
import socket
import threading
from contextlib import suppress

import httpx2
import psutil
import pytest
from raw_http import address_of, ask
from raw_http import answer as answer_of
from waiting import BOUND_S

from cluster.ports import free_port
from serving.client import FleetcastClient

pytestmark = pytest.mark.slow

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]


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
        process.communicate(timeout=BOUND_S)


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


def test_requests_beyond_the_queue_get_429_with_retry_after(sharded, bars_of, rows_of):
    rows, answers = rows_of(bars_of("AAA", 480)), []

    def ask(turn):
        with httpx2.Client(base_url=sharded, timeout=BOUND_S) as http:
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

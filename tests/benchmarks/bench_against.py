"""How fast this checkout serves compared with another one, such as that of an earlier commit.

``python tests/benchmarks/bench_against.py --other CHECKOUT [--pairs 8] [--seconds 4]``

Each checkout trains the smoke preset with its code and serves it with ``fleetcast serve``. Both servers run at the same
time, and are loaded in turn, in changing order, so that other work of the machine slows both. The last line is JSON:

``ratio_named_1``, ``ratio_named_32``
    Requests a second for one symbol by its name over those of the other checkout, with 1 and 32 clients: the median of
    the pairs.
``ratio_sent_32``
    The same where each request has 100 bars, different ones each time, which are featurised.
``lowest``, ``highest``
    By ratio: of the pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from http_load import measure, raw_request

from cluster.ports import free_port
from features import load_bars

HERE = Path(__file__).parents[2]
PREDICT = "/v1/predictions"
READY_S = 600.0


@contextmanager
def served(checkout: Path, folder: str) -> Iterator[int]:
    """Train and serve with a checkout's code, and yield the port."""
    port, environment = free_port(), os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, "-m", "cluster.cli"]
    train = [*command, "train", "--preset", "smoke", "--store", folder, "--promote", "always"]
    subprocess.run(train, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL)
    serve = [*command, "serve", "--store", folder, "--port", str(port)]
    process = subprocess.Popen(serve, cwd=checkout, env=environment, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + READY_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"the server of {checkout} does not answer")
            time.sleep(0.5)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=READY_S)


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/v1/health/ready", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


def loads(count: int) -> dict[str, tuple[int, list[bytes]]]:
    """Return by name the number of clients and their requests."""
    frame = load_bars("embedded", ["AAPL"])
    frame = frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d"))
    rows = frame[["date", "open", "high", "low", "close", "volume"]].to_numpy(object).tolist()
    sent = [{"bars": {"AAPL": rows[i : i + 100]}} for i in range(min(count, len(rows) - 100))]
    named = [raw_request(PREDICT, json.dumps({"symbols": ["AAPL"]}).encode())]
    return {"named_1": (1, named), "named_32": (32, named), "sent_32": (32, [_request(body) for body in sent])}


def _request(body: dict[str, Any]) -> bytes:
    return raw_request(PREDICT, json.dumps(body).encode())


def main() -> None:
    """Measure the pairs and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", required=True, type=Path, help="a checkout of another commit")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(2)]
        checkouts = (HERE, given.other.resolve())
        ports = [stack.enter_context(served(*one)) for one in zip(checkouts, folders, strict=True)]
        ratios: dict[str, list[float]] = {}
        for name, (clients, requests) in loads(2_000).items():
            for port in ports:
                measure(port, requests, clients, given.seconds)  # warm
            for pair in range(given.pairs):
                found = {}
                for port in ports if pair % 2 else ports[::-1]:
                    found[port] = measure(port, requests, clients, given.seconds)
                    assert set(found[port]["statuses"]) == {"200"}, found[port]
                ratios.setdefault(f"ratio_{name}", []).append(found[ports[0]]["per_s"] / found[ports[1]]["per_s"])
                print(name, [round(found[port]["per_s"], 1) for port in ports], flush=True)
    out: dict[str, Any] = {name: round(statistics.median(some), 3) for name, some in ratios.items()}
    out["lowest"] = {name: round(min(some), 3) for name, some in ratios.items()}
    out["highest"] = {name: round(max(some), 3) for name, some in ratios.items()}
    print(json.dumps(out))


if __name__ == "__main__":
    main()

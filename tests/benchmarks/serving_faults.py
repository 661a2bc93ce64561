"""What fails while versions change and a replica dies, for `bench_serving`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from http_load import measure
from serving_parts import PREDICT, named, replicas, serving

from features.store.lake import Lake
from features.store.store import Store


def faults_part(folder: str, seconds: float) -> dict[str, Any]:
    """Count what fails while versions change and a replica dies."""
    from training import ModelManager

    manager, symbols = ModelManager(folder), Lake(Store(folder)).symbols()
    requests, out = [named(symbols[i : i + 5]) for i in range(0, 200, 5)], {}
    with serving(folder, True, "serve.replicas=2") as (port, _):
        versions = manager.versions("direction")
        slowest = 0.0
        with _background(port, requests, 60.0) as load:
            for turn in range(10):
                manager.promote("direction", versions[(turn + 1) % 2], "bench") if turn % 2 == 0 else manager.rollback(
                    "direction"
                )
                slowest = max(slowest, _followed(port, symbols[0], manager.aliases("direction").champion or ""))
        out |= {"promote_failures": load["failed"], "promote_requests": sum(load["statuses"].values())}
        out["promote_slowest_s"] = slowest
        with _background(port, requests, 40.0) as load:
            victims = replicas()
            victims[0].kill()
            start = time.perf_counter()
            while len([p for p in replicas() if p.pid != victims[0].pid]) < 2 or not _two_answer(port):
                time.sleep(0.2)
            out["kill_recovery_s"] = time.perf_counter() - start
        out["kill_failure_share"] = load["failed"] / sum(load["statuses"].values())
        out["kill_requests"] = sum(load["statuses"].values())
    return out


@contextmanager
def _background(port: int, requests: list[bytes], seconds: float) -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: found.update(measure(port, requests, 8, seconds)))
    thread.start()
    time.sleep(2.0)
    yield found
    thread.join()


def _followed(port: int, symbol: str, version: str) -> float:
    """Wait until every of ten answers comes from a version, and return the seconds."""
    start = time.perf_counter()
    while time.perf_counter() < start + 30:
        answers = [httpx2.get(f"http://127.0.0.1:{port}{PREDICT}/{symbol}").json() for _ in range(10)]
        if {one["direction"]["version"] for one in answers} == {version}:
            return time.perf_counter() - start
        time.sleep(0.1)
    raise SystemExit(f"version {version} is not served after 30 s")


def _two_answer(port: int) -> bool:
    loaded = {httpx2.get(f"http://127.0.0.1:{port}/v1/stats").json()["health"]["loaded"] for _ in range(20)}
    return len(loaded) == 2

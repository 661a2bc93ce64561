"""The part ``journal`` of ``bench_serving.py``: what it costs to record served predictions."""

from __future__ import annotations

import time
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import numpy as np
import psutil
from http_load import measure
from pydantic import SecretStr
from serving_parts import named, serving

from configs.load import load_config
from features.store.lake import Lake
from features.store.store import Store

_ROUNDS = 40  # many short ones: the speed of a shared machine changes by a tenth within seconds


def _processor_s(application: str) -> float:
    """Return the processor time that an application's replica has used, of all its threads."""
    for process in psutil.process_iter(["cmdline", "cpu_times"]):
        if process.info["cmdline"] and process.info["cmdline"][0].startswith(f"ray::ServeReplica:{application}:"):
            return float(process.info["cpu_times"].user + process.info["cpu_times"].system)
    raise LookupError(f"no replica of {application!r} runs on this machine.")


def journal_part(folder: str, seconds: float) -> dict[str, Any]:
    """Measure two applications on one Serve in turn, of which one records what it serves; ratios are of neighbours.

    A replica's processor time per request varies less than answers a second, which depend on the rest of the machine.
    """
    from ray import serve

    symbols = Lake(Store(folder)).symbols()[:200]
    with serving(folder, True) as (port, _), TemporaryDirectory() as place:
        from cluster.service import NAME
        from serving.app import Arguments, application

        config = load_config("demo", overrides=["serve.cpus_per_replica=0.5"]).serve
        arguments = Arguments(store=folder, config=config, journal=SecretStr(f"sqlite:///{place}/journal.db"))
        serve.run(application(arguments), name="journal", route_prefix="/journal")
        asks = {prefix: [named([one], prefix) for one in symbols] for prefix in ("", "/journal")}
        for requests in asks.values():
            measure(port, requests, 32, 2.0)
        names = {"": NAME, "/journal": "journal"}
        found: dict[str, list[dict[str, Any]]] = {prefix: [] for prefix in asks}
        cost: dict[str, list[float]] = {prefix: [] for prefix in asks}
        for turn in range(_ROUNDS):
            for prefix in ("", "/journal")[:: 1 if turn % 2 else -1]:
                before = _processor_s(names[prefix])
                found[prefix].append(measure(port, asks[prefix], 32, seconds / 4))
                used = _processor_s(names[prefix]) - before
                cost[prefix].append(1e6 * used / (found[prefix][-1]["per_s"] * seconds / 4))
        time.sleep(2.0)
        stats = httpx2.get(f"http://127.0.0.1:{port}/journal/v1/stats").json()["journal"]
    if not stats["written"]:
        raise SystemExit(f"nothing was written to the journal: {stats}")
    pairs = zip(found["/journal"], found[""], strict=True)
    ratios = sorted(one["per_s"] / other["per_s"] for one, other in pairs)
    return {
        "ratio_with_journal": float(np.median(ratios)),
        "ratio_with_journal_se": float(1.2533 * np.std(ratios, ddof=1) / np.sqrt(len(ratios))),
        "ratios_with_journal": ratios,
        "journal_processor_us": float(np.mean(cost["/journal"])),
        "without_processor_us": float(np.mean(cost[""])),
        "journal_p99_ms": float(np.median([one["p99_ms"] for one in found["/journal"]])),
        "without_p99_ms": float(np.median([one["p99_ms"] for one in found[""]])),
        "journal_written": stats["written"],
        "journal_dropped": stats["dropped"],
        "journal_failed": sum(one["failed"] for one in found["/journal"]),
    }

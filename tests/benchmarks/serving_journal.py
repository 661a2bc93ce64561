"""The part ``journal`` of ``bench_serving.py``: what it costs to record served predictions."""

from __future__ import annotations

import time
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import numpy as np
import psutil
from http_load import measure
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

    from serving.app import Arguments, application
    from serving.journal.opening import checked_url

    symbols = Lake(Store(folder)).symbols()[:200]
    with serving(folder, True) as (port, _), TemporaryDirectory() as place:
        config = load_config("demo", overrides=["serve.cpus_per_replica=0.5"]).serve
        journals = {"journal": checked_url(f"sqlite:///{place}/journal.db"), "without": None}
        for name, journal in journals.items():  # prefixes of equal length, because Serve's routing takes time too
            arguments = Arguments(store=folder, config=config, journal=journal)
            serve.run(application(arguments), name=name, route_prefix=f"/{name}")
        asks = {name: [named([one], f"/{name}") for one in symbols] for name in journals}
        for requests in asks.values():
            measure(port, requests, 32, 2.0)
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in journals}
        for turn in range(_ROUNDS):
            for name in list(journals)[:: 1 if turn % 2 else -1]:
                before = _processor_s(name)
                found[name].append(measure(port, asks[name], 32, seconds / 4))
                found[name][-1]["processor_us"] = (
                    1e6 * (_processor_s(name) - before) / (found[name][-1]["per_s"] * seconds / 4)
                )
        time.sleep(2.0)
        stats = httpx2.get(f"http://127.0.0.1:{port}/journal/v1/stats").json()["journal"]
    if not stats["written"]:
        raise SystemExit(f"nothing was written to the journal: {stats}")
    served, processor = (
        np.array([[one[key] for one in found[name]] for name in journals]) for key in ("per_s", "processor_us")
    )
    return {
        **_ratio("ratio_with_journal", served[0] / served[1]),
        **_ratio("processor_ratio_with_journal", processor[1] / processor[0]),
        "journal_processor_us": float(np.mean(processor[0])),
        "without_processor_us": float(np.mean(processor[1])),
        "journal_p99_ms": float(np.median([one["p99_ms"] for one in found["journal"]])),
        "without_p99_ms": float(np.median([one["p99_ms"] for one in found["without"]])),
        "journal_written": stats["written"],
        "journal_dropped": stats["dropped"],
        "journal_failed": sum(one["failed"] for one in found["journal"]),
    }


def _ratio(name: str, ratios: np.ndarray) -> dict[str, float]:
    """Return the median of ratios and its standard error."""
    return {name: float(np.median(ratios)), f"{name}_se": float(1.2533 * np.std(ratios, ddof=1) / len(ratios) ** 0.5)}

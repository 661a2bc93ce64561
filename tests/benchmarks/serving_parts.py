"""The parts of ``bench_serving.py``: the engine in process, and HTTP next to its rivals."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import numpy as np
from http_load import measure, raw_request

from configs.load import load_config
from features.store.lake import Lake
from features.store.store import Store

PREDICT = "/v1/predictions"


def engine_part(folder: str, seconds: float) -> dict[str, Any]:
    """Measure the engine in process."""
    from serving import PredictionEngine, PredictionRequest
    from training.models.fleet.threads import use_threads

    use_threads(1)  # as a replica with one processor does
    start = time.perf_counter()
    with PredictionEngine(folder, follow=False) as engine:
        ready = time.perf_counter() - start
        snapshot = engine.snapshot
        latest = {
            kind: snapshot.windows[kind].windows_of(fleet.predictor, frozenset(fleet.position))
            for kind, fleet in snapshot.fleets.items()
        }
        rng = np.random.default_rng(0)

        def forecast(count: int) -> None:
            mix = rng.integers(0, len(snapshot.symbols), count)
            for kind, fleet in snapshot.fleets.items():
                symbols, windows, _ = latest[kind]
                rows = np.array([fleet.position[symbols[i]] for i in mix], np.int64)
                fleet.forecast(windows.take(mix), rows, [snapshot.last_bars[symbols[i]] for i in mix])

        batch, single = (_median_s(lambda n=n: forecast(n), seconds) for n in (512, 1))
        flops, gathered = _arithmetic(snapshot, 512)
        bars = Lake(Store(folder)).read(snapshot.symbols[0])
        named, sent = PredictionRequest(bars.symbol), PredictionRequest(bars.symbol, bars)
        out = {
            "engine_ready_s": ready,
            "engine_predictions_per_s": 512 / batch,
            "engine_matmul_share": flops / _matmul_rate() / batch,
            "engine_gathered_mib_per_batch": gathered / 2**20,
            "single_uncached_p50_ms": 1e3 * single,
            "single_cached_p50_us": 1e6 * _median_s(lambda: engine.predict_single(named), 1.0),
            "single_cached_sent_p50_us": 1e6 * _median_s(lambda: engine.predict_single(sent), 1.0),
        }
    return out


def _median_s(call: Callable[[], Any], seconds: float) -> float:
    for _ in range(3):
        call()
    times, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _arithmetic(snapshot: Any, count: int) -> tuple[float, float]:
    """Return the floating-point operations of the networks' products for so many windows, and bytes gathered."""
    flops = gathered = 0.0
    for kind, fleet in snapshot.fleets.items():
        network = getattr(fleet.predictor.config, kind).network
        features, width = len(fleet.predictor.feature_names), network.lstm_units[0]
        flops += count * network.window * 2 * (features + width) * 4 * width
        flops += count * network.window * 2 * 2 * width * width  # keys and values of attention
        gathered += count * network.window * features * 4
    return flops, gathered


def _matmul_rate() -> float:
    import tensorflow as tf

    a = tf.random.normal((1024, 1024))
    return 2 * 1024**3 / _median_s(lambda: (a @ a).numpy(), 0.5)


@contextmanager
def serving(folder: str, fast: bool, *settings: str, key_file: str | None = None) -> Iterator[tuple[int, float]]:
    """Serve a store as the command does; yield the port and the seconds until a replica was ready."""
    from cluster.ingress import prepare_ingress
    from cluster.ports import free_port
    from serving.web.limits import Limits

    config = load_config("demo", overrides=["serve.cpus_per_replica=0.5", *settings]).serve
    prepare_ingress(fast, Limits.of(config))
    from cluster.session import connect

    with connect(cpus=2):
        from cluster.service import service
        from serving.app import Arguments

        port, start = free_port(), time.perf_counter()
        with service(Arguments(store=folder, key_file=key_file, config=config), "127.0.0.1", port):
            yield port, time.perf_counter() - start


def named(symbols: list[str], prefix: str = "") -> bytes:
    """Return a request for symbols by name."""
    return raw_request(f"{prefix}{PREDICT}", json.dumps({"symbols": symbols}).encode())


def http_part(folder: str, seconds: float, rivals: bool) -> dict[str, Any]:
    """Measure over HTTP; with ``rivals`` also what we are compared with."""
    symbols = Lake(Store(folder)).symbols()
    if not rivals:
        Store(folder).delete("tails")
    with serving(folder, rivals) as (port, ready):
        stats = httpx2.get(f"http://127.0.0.1:{port}/v1/stats").json()["performance"]
        out: dict[str, Any] = {"replica_ready_s": stats["ready_s"], "service_ready_s": ready}
        out["replica_rss_mib"] = _replica_rss_mib()
        ours = {n: _best(port, [named([s]) for s in symbols[:200]], n, seconds) for n in (1, 32)}
        for clients, found in ours.items():
            out |= {f"ours_{clients}": found}
        if not rivals:
            return out
        bulk = [named(symbols)]
        one, eight = (measure(port, bulk, clients, seconds) for clients in (1, 8))
        out |= {"bulk_p50_ms": one["p50_ms"], "bulk_predictions_per_s": eight["per_s"] * len(symbols), "bulk_8": eight}
        out |= _sent(folder, port, symbols[:200], seconds)
        _deploy_rivals(folder)
        body = json.dumps({"symbols": ["S0000"]}).encode()
        for name in ("echo", "plain"):
            for clients in (1, 32):
                out[f"{name}_{clients}"] = _best(port, [raw_request(f"/{name}/", body)], clients, seconds)
        rng = np.random.default_rng(0)
        for models in (200, 3):
            _deploy_multiplexed(folder, models)
            rows = rng.permutation(np.tile(np.arange(200), 3)).tolist()
            asks = [raw_request("/multiplexed/", b"", [f"serve_multiplexed_model_id: {i}"]) for i in rows]
            if models == 200:
                measure(port, asks[:200] + asks, 4, 90.0)  # every model is loaded before the clock starts
            out[f"multiplexed_{models}"] = measure(port, asks, 32, seconds if models == 200 else max(seconds, 20.0))
        out["ours_32_again"] = _best(port, [named([s]) for s in symbols[:200]], 32, seconds)
    return out


def _best(port: int, requests: list[bytes], clients: int, seconds: float) -> dict[str, Any]:
    measure(port, requests, clients, 1.0)
    return measure(port, requests, clients, seconds)


def _sent(folder: str, port: int, symbols: list[str], seconds: float) -> dict[str, Any]:
    """Return the load of requests that bring their bars, none of which was seen before."""
    asks = []
    for turn in range(8):
        for bars in map(Lake(Store(folder)).read, symbols):
            last = bars.last(100 + turn)
            columns = (last.open, last.high, last.low, last.close, last.volume)
            dates = last.dates.astype("datetime64[D]").astype(str).tolist()
            rows = [list(row) for row in zip(dates, *(np.round(c, 4).tolist() for c in columns), strict=True)]
            asks.append(raw_request(PREDICT, json.dumps({"bars": {bars.symbol: rows[:100]}}).encode()))
    found = measure(port, asks, 32, seconds)
    stats = httpx2.get(f"http://127.0.0.1:{port}/v1/stats").json()["performance"]
    return {"sent_32": found, "mean_batch_size": stats["mean_batch_size"], "sent_sources": stats["sources"]}


def _deploy_rivals(folder: str) -> None:
    from ray import serve
    from serving_rivals import Echo, PlainEcho

    serve.run(Echo.bind(), name="echo", route_prefix="/echo")
    serve.run(PlainEcho.bind(), name="plain", route_prefix="/plain")


def _deploy_multiplexed(folder: str, models: int) -> None:
    from ray import serve
    from serving_rivals import multiplexed

    windows = np.random.default_rng(0).normal(size=(200, 10, 132)).astype(np.float32)
    serve.run(multiplexed(models).bind(windows, 16, 4), name="multiplexed", route_prefix="/multiplexed")


def _replica_rss_mib() -> float:
    return max(one.memory_info().rss for one in replicas()) / 2**20


def replicas() -> list[Any]:
    """Return the processes of replicas that are running."""
    import psutil

    found = (p for p in psutil.process_iter() if "ServeRepl" in p.name() and p.status() != psutil.STATUS_ZOMBIE)
    return [p for p in found if "fleetcast" in " ".join(p.cmdline()).lower()]

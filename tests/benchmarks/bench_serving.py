"""How fast forecasts are served, and what faults cost.

``python tests/benchmarks/bench_serving.py [--symbols 500] [--bars 750] [--seconds 6] [--store DIR]
[--parts engine,http,plain,faults,journal]``

Trains small models of random walks (their weights do not matter for time), keeps them in a temporary store, and runs
each part in a process of its own. Client and server share the machine's cores: read ratios, which are of one run.

The last line is JSON:

``ratio_to_echo``, ``ratio_to_plain_echo``
    Requests a second for one symbol by its name, 32 clients, over those of a FastAPI app on the same Serve that returns
    its JSON body, and of a deployment without a framework. ``ratio_to_echo_1``: the same with one client.
``ratio_to_multiplexed``
    200 symbols in random mix, 32 clients, over one Keras model per symbol behind ``@serve.multiplexed`` and
    ``@serve.batch`` with all models in memory; ``ratio_to_multiplexed_3`` with the documentation's three a replica;
    ``ratio_to_multiplexed_sent`` where ours is sent 100 bars with each request, and featurises them.
``mean_batch_size``
    Of those: predictions of one forward pass.
``bulk_p50_ms``, ``bulk_predictions_per_s``
    One request for all symbols by name: latency of one client, and predictions a second of 8.
``engine_predictions_per_s``
    In process, both kinds, from windows, batches of 512; next to it ``engine_matmul_share``, the share of the time that
    the networks' matrix products would take at the rate of large ones, and ``engine_gathered_mib_per_batch``.
``single_uncached_p50_ms``, ``single_cached_p50_us``, ``single_cached_sent_p50_us``
    One prediction of both kinds from its window; by name; and from bars that were sent before.
``replica_ready_s``, ``replica_rss_mib``
    From the construction of a replica, imports included, to its readiness, and its memory then; ``service_ready_s``
    with the start of Serve's own processes. ``replica_first_ready_s`` where no other has been ready with these bars
    before, so that it featurises them.
``throughput_flags_ratio``
    Requests a second with Serve's throughput flags over those without.
``promote_failures``, ``kill_failure_share``, ``kill_recovery_s``
    Two replicas under constant load: failed requests during ten promotions and rollbacks, the share that failed when
    one replica was killed, and seconds until there were two again.
``ratio_with_journal``, ``ratio_with_journal_se``, ``journal_dropped``
    Requests a second for one symbol by its name, 32 clients, of a server that records what it serves over those of one
    that does not, on the same Serve: the median of forty pairs, its standard error, and predictions not recorded.
``processor_ratio_with_journal``, ``processor_ratio_with_journal_se``
    The same of the replica's processor time per request, without over with; ``journal_processor_us`` and
    ``without_processor_us`` are the two.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from conftest import random_universe  # noqa: E402
from serving_faults import faults_part  # noqa: E402
from serving_journal import journal_part  # noqa: E402
from serving_parts import engine_part, http_part  # noqa: E402

from configs.load import load_config  # noqa: E402
from features.store.lake import Lake  # noqa: E402
from features.store.store import Store  # noqa: E402

KINDS = ("direction", "volatility")


def prepare(folder: str, symbols: int, bars: int) -> None:
    """Train two versions of both kinds of so many symbols; the first is champion, whatever it is worth."""
    from training import ModelTrainer

    store = Store(folder)
    for one in random_universe([f"S{i:04d}" for i in range(symbols)], bars):
        Lake(store).append(one)
    for seed in (1, 2):
        quick = [f"{kind}.fit={{pooled_epochs: 1, pooled_rows: 20000, pooled_symbols: 16}}" for kind in KINDS]
        config = load_config("equities", overrides=[*quick, f"run.seed={seed}", "data.min_bars=400"])
        ModelTrainer(config, store).train_multi_asset_models([], [], promote="always" if seed == 1 else "never")


def summary(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the last line."""
    out: dict[str, Any] = {}
    http = parts.get("http", {})
    if http:
        mine = 0.5 * (http["ours_32"]["per_s"] + http["ours_32_again"]["per_s"])
        out |= {
            "ratio_to_echo": mine / http["echo_32"]["per_s"],
            "ratio_to_echo_1": http["ours_1"]["per_s"] / http["echo_1"]["per_s"],
            "ratio_to_plain_echo": mine / http["plain_32"]["per_s"],
            "ratio_to_multiplexed": mine / http["multiplexed_200"]["per_s"],
            "ratio_to_multiplexed_3": mine / max(http["multiplexed_3"]["per_s"], 1e-9),
            "ratio_to_multiplexed_sent": http["sent_32"]["per_s"] / http["multiplexed_200"]["per_s"],
        }
        named_only = (
            "mean_batch_size",
            "bulk_p50_ms",
            "bulk_predictions_per_s",
            "replica_ready_s",
            "service_ready_s",
            "replica_rss_mib",
        )
        out |= {key: http[key] for key in named_only}
        out |= {
            "requests_per_s_1": http["ours_1"]["per_s"],
            "requests_per_s_32": mine,
            "p50_ms_32": http["ours_32"]["p50_ms"],
        }
        out |= {"p50_ms_1": http["ours_1"]["p50_ms"], "p99_ms_32": http["ours_32"]["p99_ms"]}
    if http and "plain" in parts:
        out["replica_first_ready_s"] = parts["plain"]["replica_ready_s"]
        out["throughput_flags_ratio"] = out["requests_per_s_32"] / parts["plain"]["ours_32"]["per_s"]
    for name in ("engine", "faults", "journal"):
        out |= parts.get(name, {})
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in out.items()}


def main() -> None:
    """Run the parts that are asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--bars", type=int, default=750)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--parts", default="engine,http,plain,faults,journal")
    parser.add_argument("--store", help="keep the models here; they are not trained again")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        jobs: dict[str, Callable[[], Any]] = {
            "prepare": lambda: prepare(given.store, given.symbols, given.bars),
            "engine": lambda: engine_part(given.store, given.seconds),
            "http": lambda: http_part(given.store, given.seconds, True),
            "plain": lambda: http_part(given.store, given.seconds, False),
            "faults": lambda: faults_part(given.store, given.seconds),
            "journal": lambda: journal_part(given.store, given.seconds),
        }
        print(json.dumps(jobs[given.part]()))
        return
    with tempfile.TemporaryDirectory() as folder:
        store = given.store or f"{folder}/store"
        names = ([] if Path(store).exists() else ["prepare"]) + given.parts.split(",")
        parts = {}
        for name in names:
            start = time.perf_counter()
            arguments = ["--part", name, "--store", store, "--symbols", given.symbols, "--bars", given.bars]
            command = [sys.executable, __file__, *map(str, arguments), "--seconds", str(given.seconds)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
            parts[name] = json.loads(done.stdout.splitlines()[-1])
            print(f"{name} ({time.perf_counter() - start:.0f} s): {json.dumps(parts[name])}", flush=True)
        print(json.dumps(summary(parts)))


if __name__ == "__main__":
    main()

"""What hostile clients and inputs can do: every attack of ``hostile/``, against real servers and files.

``python tests/benchmarks/bench_hostile.py [--seconds 120] [--sockets 4200] [--only TEXT] [--servers keys,plain,open]
[--store DIR]``

Attacks that need a server run against one with API keys behind HAProxy (``keys``), one behind Ray Serve's own proxy
(``plain``: ``serve.fast_ingress=false``), and one without keys (``open``), each in a process of its own. Every attack
runs once; then all are repeated, with other random numbers, until ``--seconds`` have passed for each kind of server.
Client and server share the machine's cores.

The last line is JSON:

``tried``, ``failed``
    Attacks, and those whose outcome was not the expected one; each failure is printed. ``failed`` must be 0.
``worst_memory_mib``
    The most memory that the replica, Serve's proxy and HAProxy had together, of all servers.
``slowest_s``
    The slowest answer to another client during an attack.
``p99_ms``
    The 99th percentile of the latency of other clients while requests stall, each on a new connection; of the attack
    where it is highest.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from hostile.attack import Attack, Context  # noqa: E402

SERVERS = {"keys": (True, True), "plain": (False, True), "open": (True, False)}
"""By name: with HAProxy, with keys."""
_SERVING = ("ServeRepl", "ProxyActor", "HAProxyMa", "haproxy")
_FIGURES = ("worst_memory_mib", "slowest_s", "p99_ms")


def attacks(needs_server: bool, only: str) -> list[Attack]:
    """Return the attacks of every module of the folder."""
    names = sorted(path.stem for path in (ROOT / "tests/benchmarks/hostile").glob("*.py"))
    found = [one for name in names for one in getattr(importlib.import_module(f"hostile.{name}"), "ATTACKS", [])]
    return [one for one in found if one.needs_server == needs_server and only in one.name]


def run(chosen: list[Attack], seconds: float, label: str, **given: Any) -> dict[str, float]:
    """Run attacks again and again for a time, each at least once; print failures, and return counts and figures."""
    figures: dict[str, float] = {"tried": 0, "failed": 0}
    until, turn = time.monotonic() + seconds, 0
    while chosen and (turn == 0 or time.monotonic() < until):
        for attack in chosen:
            start = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    attack.run(Context(Path(folder), turn=turn, figures=figures, **given))
                    outcome = "as expected"
                except Exception as error:
                    figures["failed"] += 1
                    outcome = f"FAILED: {type(error).__name__}: {str(error)[:500]}"
            figures["tried"] += 1
            print(f"{label}, {attack.name} ({time.perf_counter() - start:.1f} s): {outcome}", flush=True)
            if turn and time.monotonic() > until:
                break
        turn += 1
    return figures


def attack_server(name: str, store: str, seconds: float, sockets: int, only: str) -> dict[str, float]:
    """Start a server and run the attacks that need one."""
    from serving_parts import serving

    from serving.web.keys import add_key

    fast, has_keys = SERVERS[name]
    with ExitStack() as end:
        file = Path(end.enter_context(tempfile.TemporaryDirectory())) / "keys"
        one, two = (add_key(file, client) for client in ("one", "two")) if has_keys else (None, None)
        place = str(file) if has_keys else None
        port, _ = end.enter_context(serving(store, fast, f"serve.fast_ingress={str(fast).lower()}", key_file=place))
        memory = end.enter_context(_watched_memory())
        print(f"{name}: {memory[0]:.0f} MiB before the first attack", flush=True)
        given = {"url": f"http://127.0.0.1:{port}", "key": one, "other_key": two, "sockets": sockets}
        figures = run(attacks(True, only), seconds, name, key_file=file if has_keys else None, **given)
        return {**figures, "worst_memory_mib": memory[0]}


@contextmanager
def _watched_memory() -> Iterator[list[float]]:
    """Yield a list with the most MiB that the serving processes of this process had together so far."""
    worst, stop = [_memory_mib()], threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            worst[0] = max(worst[0], _memory_mib())

    thread = threading.Thread(target=watch)
    thread.start()
    yield worst
    stop.set()
    thread.join()


def _memory_mib() -> float:
    total = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss if any(map(process.name().__contains__, _SERVING)) else 0
    return total / 2**20


def _prepare(store: str) -> None:
    command = [sys.executable, str(ROOT / "tests/benchmarks/bench_serving.py"), "--part", "prepare", "--store", store]
    subprocess.run([*command, "--symbols", "20", "--bars", "500"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def main() -> None:
    """Run all attacks, those against a kind of server in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--sockets", type=int, default=4200)
    parser.add_argument("--only", default="", help="attacks with this in their name")
    parser.add_argument("--servers", default=",".join(SERVERS))
    parser.add_argument("--store", help="serve these models; by default small ones are trained")
    parser.add_argument("--server", help=argparse.SUPPRESS)
    given = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if given.server:
        found = attack_server(given.server, given.store, given.seconds, given.sockets, given.only)
        print(json.dumps(found))
        return
    parts = [run(attacks(False, given.only), 0.0, "files")]
    with tempfile.TemporaryDirectory() as folder:
        store = given.store or f"{folder}/store"
        names = [name for name in given.servers.split(",") if name] if attacks(True, given.only) else []
        if names and not Path(store).exists():
            _prepare(store)
        for name in names:
            command = [sys.executable, __file__, "--server", name, "--store", store, "--only", given.only]
            command += ["--seconds", str(given.seconds), "--sockets", str(given.sockets)]
            parts.append(_run_and_print(command))
    total = {key: sum(part[key] for part in parts) for key in ("tried", "failed")}
    worst = {key: round(max((part.get(key, 0.0) for part in parts), default=0.0), 3) for key in _FIGURES}
    print(json.dumps({**total, **worst}))


def _run_and_print(command: list[str]) -> dict[str, float]:
    """Run a command, print its lines as they come, and return its last one."""
    last = ""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if last:
                print(last, end="", flush=True)
            last = line
    if process.returncode:
        raise SystemExit(f"the server process failed: {last}")
    found: dict[str, float] = json.loads(last)
    return found


if __name__ == "__main__":
    main()

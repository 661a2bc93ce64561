"""Constant HTTP load from one process: raw requests over kept connections, so that the client costs little.

``python tests/benchmarks/http_load.py HOST PORT CLIENTS SECONDS REQUESTS.bin`` reads length-prefixed raw requests,
sends them in turn from every client, and prints JSON: requests a second, latencies in ms, statuses.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def raw_request(path: str, body: bytes = b"", headers: Sequence[str] = (), method: str = "POST") -> bytes:
    """Return the bytes of one HTTP/1.1 request."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def measure(port: int, requests: Sequence[bytes], clients: int, seconds: float) -> dict[str, Any]:
    """Load a server of this machine from a process of its own, and return what it saw."""
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        for one in requests:
            file.write(len(one).to_bytes(4, "little") + one)
        file.flush()
        arguments = ["127.0.0.1", str(port), str(clients), str(seconds), file.name]
        done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def _client(host: str, port: int, requests: Sequence[bytes], first: int, until: float, seen: _Seen) -> None:
    turn, streams = first, None
    while time.perf_counter() < until:
        start = time.perf_counter()
        try:
            streams = streams or await asyncio.open_connection(host, port)
            streams[1].write(requests[turn % len(requests)])
            head = await streams[0].readuntil(b"\r\n\r\n")
            lower = head.lower()
            if b"transfer-encoding: chunked" in lower:
                while await streams[0].readuntil(b"\r\n") != b"0\r\n":
                    await streams[0].readuntil(b"\r\n")
                await streams[0].readuntil(b"\r\n")
            else:
                await streams[0].readexactly(int(lower.partition(b"content-length:")[2].split(b"\r\n")[0]))
            seen.statuses[int(head[9:12])] += 1
            if b"connection: close" in lower:
                streams = None
        except (OSError, asyncio.IncompleteReadError):
            seen.statuses[0] += 1
            streams = None
            await asyncio.sleep(0.01)
        seen.seconds.append(time.perf_counter() - start)
        turn += 1


class _Seen:
    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []


async def _load(host: str, port: int, clients: int, seconds: float, requests: Sequence[bytes]) -> dict[str, Any]:
    seen, start = _Seen(), time.perf_counter()
    stride = max(1, len(requests) // clients)
    await asyncio.gather(*(_client(host, port, requests, i * stride, start + seconds, seen) for i in range(clients)))
    taken = time.perf_counter() - start
    p50, p99 = (1e3 * float(value) for value in np.quantile(seen.seconds, (0.5, 0.99)))
    good = seen.statuses[200]
    return {
        "per_s": good / taken,
        "p50_ms": p50,
        "p99_ms": p99,
        "failed": sum(seen.statuses.values()) - good - seen.statuses[429],
        "statuses": {str(status): count for status, count in sorted(seen.statuses.items())},
    }


def _main() -> None:
    host, port, clients, seconds, path = sys.argv[1:]
    data, requests = Path(path).read_bytes(), []
    while data:
        length = int.from_bytes(data[:4], "little")
        requests.append(data[4 : 4 + length])
        data = data[4 + length :]
    print(json.dumps(asyncio.run(_load(host, int(port), int(clients), float(seconds), requests))))


if __name__ == "__main__":
    _main()

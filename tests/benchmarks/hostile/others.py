"""The other clients of a server under attack: all their requests must be answered, soon."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from hostile.attack import Context
from raw_http import ask

PREDICT = "/v1/predictions"
BODY = b'{"symbols": ["S0000"]}'
_SLOWEST_S = 5.0


def key_header(key: str | None) -> list[str]:
    """Return the header of a key, or none."""
    return [] if key is None else [f"Authorization: Bearer {key}"]


@contextmanager
def others(context: Context, figure: str = "") -> Iterator[None]:
    """Ask for forecasts and health on new connections while the context lasts, and check every answer at its end.

    ``figure`` is the name under which the 99th percentile of latency is reported, in ms.
    """
    seconds: list[float] = []
    wrong: list[str] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            for path, method, body in (("/v1/health/live", "GET", b""), (PREDICT, "POST", BODY)):
                status, taken = ask(context.server, path, *key_header(context.other_key), method=method, body=body)
                seconds.append(taken)
                if status != 200:
                    wrong.append(f"{method} {path}: {status} after {taken:.1f} s")
            time.sleep(0.02)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    p99 = 1e3 * float(np.quantile(seconds, 0.99))
    context.figures["slowest_s"] = max(context.figures.get("slowest_s", 0.0), *seconds)
    if figure:
        context.figures[figure] = max(context.figures.get(figure, 0.0), p99)
    assert not wrong, f"{len(wrong)} of {len(seconds)} requests of another client failed: {wrong[0]}"
    assert max(seconds) < _SLOWEST_S, f"another client waited {max(seconds):.1f} s"

"""Counts and processing times of an engine's predictions."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from threading import Lock
from typing import Any

import numpy as np

_RECENT = 10_000


class EngineStatistics:
    """Counts predictions by source and error, and keeps the last 10,000 processing times; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sources: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._fallbacks = 0
        self._seconds: deque[float] = deque(maxlen=_RECENT)
        self._batches: deque[int] = deque(maxlen=_RECENT)

    def add(self, source: str, seconds: float, errors: Iterable[str] = (), count: int = 1, fallbacks: int = 0) -> None:
        """Add ``count`` predictions of one request, which took ``seconds``.

        ``errors`` are the codes of those that failed, ``fallbacks`` the number of those made by a baseline.
        """
        with self._lock:
            self._fallbacks += fallbacks
            self._sources[source] += count
            self._errors.update(errors)
            self._seconds.append(seconds)

    def add_batch(self, size: int) -> None:
        """Add the number of predictions of one forward pass."""
        with self._lock:
            self._batches.append(size)

    def summary(self) -> dict[str, Any]:
        """Return counts, rates and processing times (seconds); None where nothing is known yet."""
        with self._lock:
            sources, errors, fallbacks = dict(self._sources), dict(self._errors), self._fallbacks
            seconds, batches = np.array(self._seconds), np.array(self._batches)
        total, failed = sum(sources.values()), sum(errors.values())
        looked_up = sources.get("cache", 0) + sources.get("computed", 0)
        times = np.quantile(seconds, (0.5, 0.95, 0.99)).tolist() if len(seconds) else [None] * 3
        return {
            "predictions": total,
            "success_rate": (total - failed) / total if total else None,
            "avg_processing_time": float(seconds.mean()) if len(seconds) else None,
            "processing_time_s": dict(zip(("p50", "p95", "p99"), times, strict=True)),
            "cache_hit_rate": sources.get("cache", 0) / looked_up if looked_up else None,
            "mean_batch_size": float(batches.mean()) if len(batches) else None,
            "sources": sources,
            "errors": errors,
            "fallbacks": fallbacks,
        }

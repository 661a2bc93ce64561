"""Prometheus metrics through Ray: latency, batch size, queue, where answers came from, errors by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from serving.answers import PredictionResponse

_ROUTE: Any = ("route", "status")  # Ray types it as a single name
_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]
_SIZES = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]


class Meter:
    """What a server tells of itself; this one tells nobody."""

    def request(self, route: str, status: int, seconds: float) -> None:
        """Note one request."""

    def snapshot(self, symbols: int, errors: Sequence[str]) -> None:
        """Note symbols answered from the newest bars, and the codes of those without a forecast."""

    def batch(self, answers: Sequence[PredictionResponse], waiting: int) -> None:
        """Note one batch of bars that were sent, and how much waits behind it."""


class RayMeter(Meter):
    """Tells Ray, which exports to Prometheus; names begin with ``fleetcast_``. Only inside a replica."""

    def __init__(self) -> None:
        from ray.serve import metrics

        self._seconds = metrics.Histogram(
            "fleetcast_request_seconds", "Seconds of a request.", boundaries=_SECONDS, tag_keys=_ROUTE
        )
        self._sizes = metrics.Histogram(
            "fleetcast_batch_size", "Predictions answered by one forward pass.", boundaries=_SIZES
        )
        self._waiting = metrics.Gauge("fleetcast_waiting", "Predictions that wait for a forward pass.")
        self._sources = metrics.Counter(
            "fleetcast_predictions", "Predictions by where they came from.", tag_keys=("source",)
        )
        self._errors = metrics.Counter("fleetcast_errors", "Items without a forecast, by reason.", tag_keys=("code",))

    def request(self, route: str, status: int, seconds: float) -> None:
        """Note one request."""
        self._seconds.observe(seconds, {"route": route, "status": str(status)})

    def snapshot(self, symbols: int, errors: Sequence[str]) -> None:
        """Note symbols answered from the newest bars."""
        self._sources.inc(symbols, {"source": "snapshot"})
        for code, count in Counter(errors).items():
            self._errors.inc(count, {"code": code})

    def batch(self, answers: Sequence[PredictionResponse], waiting: int) -> None:
        """Note one batch."""
        computed = 0
        for one in answers:
            self._sources.inc(1, {"source": one.source})
            computed += one.source == "computed"
            if one.error is not None:
                self._errors.inc(1, {"code": one.error.code})
        if computed:
            self._sizes.observe(computed)
        self._waiting.set(waiting)

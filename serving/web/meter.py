"""Prometheus metrics through Ray: latency, batch size, queue length, sources of answers, errors by code."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from serving.answers import PredictionResponse

_ROUTE: Any = ("route", "status")  # Ray's annotation allows a single name only
_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]
_FLUSH_S = 1.0  # a count handed to Ray costs as much as a tenth of a request, and Ray exports every few seconds
_SIZES = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]


class Meter:
    """Records what a server does; this one records nothing."""

    def request(self, route: str, status: int, seconds: float) -> None:
        """Record one request."""

    def snapshot(self, symbols: int, errors: Sequence[str]) -> None:
        """Record symbols answered from the newest bars, and the error codes of those without a forecast."""

    def batch(self, responses: Sequence[PredictionResponse], waiting: int) -> None:
        """Record one batch of forecasts from bars in requests, and the length of the queue behind it."""

    def journal(self, written: int, dropped: int, waiting: int) -> None:
        """Record served predictions that were written to the journal or dropped, and how many wait."""


class RayMeter(Meter):
    """Records to Ray, which exports to Prometheus; names begin with ``fleetcast_``. Works only inside a replica."""

    def __init__(self) -> None:
        from ray.serve import metrics

        self._answered, self._failed, self._is_scheduled = 0, Counter[str](), False
        self._seconds = metrics.Histogram(
            "fleetcast_request_seconds", "Seconds of a request.", boundaries=_SECONDS, tag_keys=_ROUTE
        )
        self._sizes = metrics.Histogram("fleetcast_batch_size", "Predictions of one forward pass.", boundaries=_SIZES)
        self._waiting = metrics.Gauge("fleetcast_waiting", "Predictions that wait for a forward pass.")
        self._sources = metrics.Counter("fleetcast_predictions", "Predictions by source.", tag_keys=("source",))
        self._written = metrics.Counter("fleetcast_journal_written", "Served predictions written to the journal.")
        self._dropped = metrics.Counter("fleetcast_journal_dropped", "Served predictions that the journal lacks.")
        self._journal_waiting = metrics.Gauge("fleetcast_journal_waiting", "Served predictions that wait for it.")
        self._errors = metrics.Counter("fleetcast_errors", "Symbols without a forecast, by code.", tag_keys=("code",))

    def request(self, route: str, status: int, seconds: float) -> None:
        """Record one request."""
        self._seconds.observe(seconds, {"route": route, "status": str(status)})

    def snapshot(self, symbols: int, errors: Sequence[str]) -> None:
        """Record symbols answered from the newest bars, within a second; needs a running event loop."""
        self._answered += symbols
        self._failed.update(errors)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_later(_FLUSH_S, self._flush)

    def _flush(self) -> None:
        answered, failed = self._answered, self._failed
        self._answered, self._failed, self._is_scheduled = 0, Counter(), False
        self._sources.inc(answered, {"source": "snapshot"})
        for code, count in failed.items():
            self._errors.inc(count, {"code": code})

    def batch(self, responses: Sequence[PredictionResponse], waiting: int) -> None:
        """Record one batch."""
        for response in responses:
            self._sources.inc(1, {"source": response.source})
            if response.error is not None:
                self._errors.inc(1, {"code": response.error.code})
        if computed := sum(response.source == "computed" for response in responses):
            self._sizes.observe(computed)
        self._waiting.set(waiting)

    def journal(self, written: int, dropped: int, waiting: int) -> None:
        """Record what the journal's writer did."""
        for counter, count in ((self._written, written), (self._dropped, dropped)):
            if count:
                counter.inc(count)
        self._journal_waiting.set(waiting)

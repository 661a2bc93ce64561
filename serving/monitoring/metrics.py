"""Prometheus metrics of a bot and of live skill, in a separate registry; labelled by kind, never by symbol."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server

from configs.errors import ConfigError
from serving.monitoring.forecast_rows import LOSS
from serving.monitoring.result import KindReport, MonitoringResult
from training.metrics.comparison import MetricSummary

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)


class BotMetrics:
    """What a bot does and what its forecasts are worth.

    Times are Unix seconds. Values that are not known are NaN. ``registry`` has all of them.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"fleetcast_{name}", text, labels, registry=self.registry)

        self._heartbeat = gauge("bot_heartbeat_timestamp_seconds", "When the bot last showed that it lives.")
        self._is_leader = gauge("bot_is_leader", "1 while this process has the bot's lease.")
        self._last_scan = gauge("bot_last_scan_timestamp_seconds", "When the last scan ended.")
        self._period = gauge("bot_scan_period_seconds", "Half of the seconds from a scan to the second next one.")
        self._symbols = gauge("bot_symbols", "Symbols of the last scan.", "state")
        self._account = gauge("bot_account", "Equity, gross exposure and drawdown of the paper account.", "figure")
        self._undelivered = gauge("bot_undelivered_alerts", "Alerts that wait for delivery.")
        self._scan = Histogram(
            "fleetcast_bot_scan_seconds", "Seconds of a scan.", registry=self.registry, buckets=_SECONDS
        )
        self._runs = self._counter("bot_task_runs", "Runs of tasks by outcome.", "task", "outcome")
        self._missed = self._counter("bot_missed_ticks", "Ticks of tasks that were missed.", "task")
        self._task = Gauge(
            "fleetcast_bot_task_seconds", "Seconds of a task's last run.", ("task",), registry=self.registry
        )
        self._signals = self._counter("bot_signals", "Signals by action.", "action")
        self._orders = self._counter("bot_orders", "Paper orders by state.", "state")
        self._loss = gauge("live_loss", "Mean live loss: log loss of direction, QLIKE of volatility.", "kind")
        self._difference = gauge("live_loss_difference", "Live loss less the baseline's.", "kind")
        self._error = gauge("live_loss_difference_se", "Its standard error, clustered by day.", "kind")
        self._coverage = gauge("live_coverage", "Share of outcomes inside label sets or intervals.", "kind")
        self._nominal = gauge("live_coverage_nominal", "Share that should be inside.", "kind")
        self._realised_share = gauge("live_claimed_gain_kept", "Share of the claimed gain that came true.", "kind")
        self._evidence = gauge("live_evidence", "Evidence of a sequential test.", "kind", "test")
        self._threshold = gauge("live_evidence_threshold", "Evidence from which the test alarms.", "kind", "test")
        self._alarm = gauge("live_alarm", "1 while a test has an alarm.", "kind", "test")
        self._watch = gauge("live_cusum", "Control chart of losses.", "kind")
        self._limit = gauge("live_cusum_limit", "Value from which the control chart signals.", "kind")
        self._newest = gauge("live_newest_bar_timestamp_seconds", "Close of the newest bar with a forecast.", "kind")
        self._served = gauge("live_symbols", "Symbols with a recent forecast.", "kind")
        self._behind = gauge("live_symbols_behind", "Symbols without a forecast of the newest bar.", "kind")
        self._overdue = gauge("live_outcomes_overdue", "Outcomes that should be known and are not.", "kind")
        self._fallback = gauge("live_fallback_share", "Share of recent forecasts that are a baseline's.", "kind")
        self._drifted = gauge("live_drifted_features", "Features that differ from training.", "kind")

    def heartbeat(self, at: datetime, *, is_leader: bool) -> None:
        """Record that the bot lives."""
        self._heartbeat.set(at.timestamp())
        self._is_leader.set(is_leader)

    def scanned(self, at: datetime, seconds: float, period_s: float, symbols: Mapping[str, int]) -> None:
        """Record a scan that ended: its duration, the time between scans, and the symbols by state."""
        self._last_scan.set(at.timestamp())
        self._period.set(period_s)
        self._scan.observe(seconds)
        self._symbols.clear()
        for state, count in symbols.items():
            self._symbols.labels(state).set(count)

    def task(self, name: str, outcome: str, seconds: float, missed: int = 0) -> None:
        """Record a task's run: ``outcome`` such as ok or failed, and how many ticks it had missed."""
        self._runs.labels(name, outcome).inc()
        self._missed.labels(name).inc(missed)
        self._task.labels(name).set(seconds)

    def traded(self, signals: Mapping[str, int], orders: Mapping[str, int]) -> None:
        """Count the signals of a scan by action, and its orders by state."""
        for action, count in signals.items():
            self._signals.labels(action).inc(count)
        for state, count in orders.items():
            self._orders.labels(state).inc(count)

    def account(self, equity: float, gross: float, drawdown: float) -> None:
        """Record the paper account; ``drawdown`` is ≤ 0."""
        for figure, value in (("equity", equity), ("gross", gross), ("drawdown", drawdown)):
            self._account.labels(figure).set(value)

    def undelivered(self, alerts: int) -> None:
        """Record how many alerts wait."""
        self._undelivered.set(alerts)

    def live(self, result: MonitoringResult) -> None:
        """Record what monitoring found."""
        for report in result.kinds:
            self._live(report)

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _live(self, report: KindReport) -> None:
        found, loss, kind = MetricSummary(report.scores), LOSS[report.kind], report.kind
        gap = found.difference(loss, report.baseline)
        values = {
            self._loss: found.model(loss).value,
            self._difference: gap.value,
            self._error: gap.se,
            self._coverage: found.model("coverage").value,
            self._nominal: report.level,
            self._realised_share: report.realised_share.value,
            self._watch: report.watch.value,
            self._limit: report.watch.limit,
            self._newest: datetime.fromisoformat(report.quality.newest_bar).timestamp(),
            self._served: report.quality.symbols,
            self._behind: report.quality.behind_count,
            self._overdue: report.quality.overdue,
            self._fallback: report.quality.fallback,
        }
        for gauge, value in values.items():
            gauge.labels(kind).set(value if math.isfinite(value) else math.nan)
        if report.drift:
            self._drifted.labels(kind).set(sum(one.is_drifted for one in report.drift))
        for test in report.tests:
            self._evidence.labels(kind, test.name).set(test.evidence)
            self._threshold.labels(kind, test.name).set(test.threshold)
            self._alarm.labels(kind, test.name).set(test.alarm is not None)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"fleetcast_{name}", text, labels, registry=self.registry)


@contextmanager
def metrics_server(metrics: BotMetrics, host: str, port: int) -> Iterator[int]:
    """Answer ``GET /metrics`` in a thread; yields the port, which 0 lets the system choose.

    Raises
    ------
    ConfigError
        The address cannot be bound.
    """
    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise ConfigError(
            f"metrics cannot be served at {host}:{port} ({error.strerror}). Set monitoring.metrics_port to a free port "
            "and monitoring.metrics_host to an address of this machine, or metrics_port to null."
        ) from error
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5.0)

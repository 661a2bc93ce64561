"""Settings of monitoring: how often it may be wrong, and how long it waits."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from configs.values import Frozen, host_name

Days = Annotated[int, Field(ge=1, le=100_000)]


class MonitoringConfig(Frozen):
    """Tests of live forecasts against their outcomes. Models and forecasts do not depend on it."""

    false_alarm_rate: Annotated[float, Field(ge=1e-6, le=0.5)] = 0.05
    """Highest probability that models of a kind whose skill has not changed ever raise an alarm, however often one
    looks. Half of it, a quarter and a quarter go to the tests for worse than the baseline, faded skill and coverage."""
    change_days: Days = 250
    """Days of forecasts within which a loss of skill is found quickest; one that comes much later takes somewhat
    longer."""
    outlier: Annotated[float, Field(ge=2.0, le=1_000.0)] = 10.0
    """Realised variances above this multiple of the larger of the model's and the baseline's forecast count as this
    multiple in the tests of volatility."""
    miss_tolerance: Annotated[float, Field(ge=0.0, le=10.0)] = 0.25
    """By which share outcomes may miss their label sets or intervals more often than promised before it counts: misses
    cluster in restless times, so a share that is right on average is exceeded for months."""
    late_days: Annotated[int, Field(ge=0, le=10_000)] = 7
    """Days that tests wait for outcomes that are late, besides two for every bar of the horizon, or twice its length if
    bars are weekly or rarer; then they go on without them."""
    skill_days: Days = 365
    """Calendar days of forecasts behind figures of live skill. Tests count every day once and have no end."""
    recent_days: Days = 63
    """Days of forecasts behind figures that are called recent, and behind feature drift."""
    watch_years: Annotated[float, Field(ge=0.1, le=1_000.0)] = 20.0
    """Mean years between signals of the control chart of losses (CUSUM) while nothing has changed. Its signals are to
    be watched; they are no alarms."""
    drift_false_rate: Annotated[float, Field(ge=1e-6, le=0.5)] = 0.05
    """Probability that features are reported to differ from training although they do not. It takes 1 / rate − 1
    earlier periods of ``recent_days`` to show it: five years of days for 0.05."""
    metrics_host: Annotated[str, AfterValidator(host_name)] = "127.0.0.1"
    """Address at which the bot's Prometheus metrics can be read."""
    metrics_port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """Port of the bot's Prometheus metrics; null opens none."""

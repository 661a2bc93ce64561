"""Flat metrics are read by name, and what is missing is unknown, not zero."""

import math

from training.metrics.comparison import Comparison, MetricSummary

FLAT = {
    "qlike": 0.2,
    "qlike_se": 0.01,
    "qlike_log_har": 0.25,
    "qlike_vs_log_har": -0.05,
    "qlike_vs_log_har_se": 0.02,
    "qlike_vs_ewma": None,
    "r2": 0.5,
}


def test_metrics_are_read_with_their_errors():
    found = MetricSummary(FLAT)
    assert found.model("qlike") == Comparison(0.2, 0.01) and found.model("qlike").is_known
    assert found.difference("qlike", "log_har") == (-0.05, 0.02)
    assert found.baseline("qlike", "log_har").value == 0.25
    assert found.baselines("qlike") == ["log_har", "ewma"] and found.baselines("r2") == []


def test_what_is_missing_or_null_is_unknown():
    found = MetricSummary(FLAT)
    for one in (found.model("r2"), found.difference("qlike", "ewma"), found.difference("r2", "garch")):
        assert not one.is_known and math.isnan(one.se)
    assert found.compares("qlike", "ewma") and not found.compares("qlike", "garch")

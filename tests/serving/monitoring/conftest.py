"""Simulated forecasts with outcomes, as tables and as rows of a journal."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sqlalchemy import insert

from features.labels import CLASSES
from serving.journal.schema import outcomes, predictions, row_id

_K = 0.4307  # equal classes
VERSION = "20240101T000000Z-aaaaaa"


def simulated(
    kind: str,
    days: int = 60,
    symbols: int = 5,
    *,
    strength: float = 0.3,
    real: float = 1.0,
    lost_from: int | None = None,
    horizon: int | None = None,
    seed: int = 0,
    version: str = VERSION,
) -> pd.DataFrame:
    """Return forecasts with outcomes, one row a symbol and business day, in the form of an evaluation.

    Outcomes have a common factor. ``strength`` is how far forecasts differ from the baseline, ``real`` the part of it
    that is true, and none is from the day ``lost_from`` on.
    """
    horizon = horizon or (1 if kind == "direction" else 5)
    rng = np.random.default_rng([seed, len(kind)])
    shape = (days, symbols)
    signal = strength * rng.normal(size=shape)
    truth = signal * real
    if lost_from is not None:
        truth[lost_from:] = 0.0
    dates = pd.bdate_range("2024-01-02", periods=days + horizon)
    start, end = (np.repeat(d.to_numpy().astype("datetime64[us]"), symbols) for d in (dates[:days], dates[horizon:]))
    frame = pd.DataFrame(
        {
            "symbol": np.tile([f"S{i:02d}" for i in range(symbols)], days),
            "version": version,
            "bar_date": start,
            "date": start,
            "end_date": end,
            "horizon_bars": horizon,
            "basis": "own",
            "fallback": False,
            "is_shadow": False,
            "level": 0.9,
            "times_served": 0,
            "revision": 0.0,
        }
    )
    close = timedelta(hours=21)
    frame["bar_close"] = (frame["bar_date"] + close).dt.tz_localize("UTC")
    frame["made_at"] = frame["bar_close"] + timedelta(minutes=5)
    frame["end_close"] = (frame["end_date"] + close).dt.tz_localize("UTC")
    frame["known_at"] = frame["end_close"] + timedelta(minutes=5)
    market = rng.normal(size=(days + horizon, 1))
    if kind == "direction":
        moved = np.sqrt(0.3) * market[:days] + np.sqrt(0.7) * rng.normal(size=shape) + truth
        label = np.where(moved < -_K, 0.0, np.where(moved > _K, 2.0, 1.0)).ravel()
        down, up = norm.cdf(-_K - signal).ravel(), norm.sf(_K - signal).ravel()
        for name, p in zip(CLASSES, (down, 1.0 - down - up, up), strict=True):
            frame[f"p_{name}"], frame[f"p_{name}_prior"] = p, 1.0 / 3.0
        inside = rng.random(shape).ravel() < 0.9
        for k, name in enumerate(CLASSES):
            frame[f"in_set_{name}"] = np.where(label == k, inside, True)
        return frame.assign(label=label, first_label=label)
    shocks = np.exp(0.5 * market) * rng.gamma(2.0, 0.5, size=(days + horizon, symbols))
    shocks /= np.exp(0.125)
    mean = np.mean([shocks[1 + k : 1 + k + days] for k in range(horizon)], axis=0)
    target = (1e-4 * np.exp(truth) * mean).ravel()
    forecast = (1e-4 * np.exp(signal)).ravel()
    scatter = np.sqrt(0.75 / horizon)
    low, high = (forecast * np.exp(side * 1.645 * scatter - scatter**2 / 2) for side in (-1.0, 1.0))
    return frame.assign(
        forecast=forecast,
        forecast_log_har=1e-4,
        low=low,
        high=high,
        bars_per_year=252.0,
        target=target,
        first_target=target,
    )


def write_journal(connection: Any, kind: str, frame: pd.DataFrame, until: datetime | None = None) -> None:
    """Insert forecasts, and the outcomes that are known at a time, by default all."""
    names = {"direction": ["prior"], "volatility": ["log_har"]}[kind]
    rows, known = [], []
    for one in frame.to_dict("records"):
        key = row_id(one["symbol"], kind, one["bar_close"].isoformat(), one["horizon_bars"], one["version"])
        row = {name: None for name in ("band", "target_close", "variance", "low", "high", "bars_per_year")}
        row |= {f"{head}_{name}": None for head in ("p", "in_set") for name in CLASSES}
        row |= {name: one[name] for name in row if name in one}
        plain = ("symbol", "version", "horizon_bars", "basis", "fallback", "is_shadow", "level", "times_served")
        row |= {name: one[name] for name in plain}
        if kind == "direction":
            row["baselines"] = {name: [one[f"p_{label}_{name}"] for label in CLASSES] for name in names}
        else:
            row["variance"] = one["forecast"]
            row["baselines"] = {name: one[f"forecast_{name}"] for name in names}
        times = {name: one[name].to_pydatetime() for name in ("bar_close", "made_at")}
        day = one["bar_date"].to_pydatetime().replace(tzinfo=UTC)
        rows.append(row | times | {"id": key, "kind": kind, "bar_date": day, "made_by": "test", "close": 100.0})
        if until is None or one["known_at"] <= until:
            outcome = {"label": int(one["label"])} if kind == "direction" else {"label": None}
            known.append(
                {
                    "prediction_id": key,
                    "revision": 0,
                    "known_at": one["known_at"].to_pydatetime(),
                    "bar_date": one["end_date"].to_pydatetime().replace(tzinfo=UTC),
                    "bar_close": one["end_close"].to_pydatetime(),
                    "log_return": 0.0,
                    "variance": one.get("target", 1e-4),
                    **outcome,
                }
            )
    connection.execute(insert(predictions), rows)
    if known:
        connection.execute(insert(outcomes), known)


@pytest.fixture(scope="session")
def make_forecasts() -> Callable[..., pd.DataFrame]:
    return simulated


@pytest.fixture(scope="session")
def fill() -> Callable[..., None]:
    return write_journal

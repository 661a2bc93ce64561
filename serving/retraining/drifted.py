"""How much worse the live forecasts of each symbol are than those of its version's test."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from configs.monitoring import MonitoringConfig
from configs.values import Kind
from serving.monitoring.evaluations import read_evaluations
from serving.monitoring.forecast_rows import JUDGED_KINDS, has_outcome
from training.registry.manager import ModelManager

_ONE_SIDED_5_PERCENT = 1.6449
_LEAST = 5  # forecasts


def drift_of_losses(
    connection: Connection,
    models: ModelManager,
    kind: Kind,
    version: str,
    horizon: int,
    config: MonitoringConfig,
    now: datetime,
) -> dict[str, float]:
    r"""Return by symbol how much its mean loss of recent forecasts exceeds that of its test.

    The measure is :math:`\max(z, 0) / 1.645`, with z the difference over the standard error of the mean of n/h
    independent losses that vary as those of the test did. It orders symbols and decides nothing: 1 is exceeded by one
    symbol in twenty by chance. Symbols with fewer than five outcomes are left out.
    """
    since = now - timedelta(days=config.recent_days)
    rows = read_evaluations(connection, kind, horizon, since=since, versions=[version])
    rows = rows[has_outcome(kind, rows)]
    if rows.empty:
        return {}
    judged = JUDGED_KINDS[kind]
    loss = judged.losses(judged.outcomes(rows), judged.forecasts(rows))
    live = pd.DataFrame({"symbol": rows["symbol"].to_numpy(), "loss": loss}).groupby("symbol")["loss"]
    tested = [table.to_pandas() for table in models.test_predictions(kind, version, ["symbol", "loss"])]
    if not tested:
        return {}
    before = pd.concat(tested).astype({"symbol": str}).groupby("symbol")["loss"]
    figures = pd.DataFrame({"live": live.mean(), "n": live.count(), "mean": before.mean(), "sd": before.std()})
    figures = figures[figures["n"] >= _LEAST].dropna()
    figures = figures[figures["sd"] > 0]
    error: pd.Series[float] = figures["sd"] / np.sqrt(np.maximum(figures["n"] / horizon, 1.0))
    excess = ((figures["live"] - figures["mean"]) / error).clip(lower=0.0) / _ONE_SIDED_5_PERCENT
    return {str(symbol): float(value) for symbol, value in excess.items()}

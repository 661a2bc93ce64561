"""Forecasts of versions with their outcomes, as the bot journals them."""

from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import insert

from serving.journal.predictions import PredictionRow, record
from serving.journal.schema import outcomes

START = datetime(2017, 1, 2, tzinfo=UTC)
KIND = "direction"
NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE")


def journal_forecasts(journal, version, chances, labels, *, is_shadow=False, first_day=0, horizon=1):
    """Write forecasts (days, symbols, 3) of a version, and what came true (days, symbols) on the next day."""
    rows = []
    for day, table in enumerate(chances, start=first_day):
        at = START + timedelta(days=day)
        for symbol, p in zip(NAMES, table, strict=True):
            p_down, p_sideways, p_up = map(float, p)
            rows.append(
                PredictionRow(
                    symbol=symbol, kind=KIND, bar_date=at, bar_close=at + timedelta(hours=21), horizon_bars=horizon,
                    version=version, made_at=at + timedelta(hours=22), made_by="bot:bot", close=100.0, band=0.01,
                    p_down=p_down, p_sideways=p_sideways, p_up=p_up, is_shadow=is_shadow,
                )
            )  # fmt: skip
    known = [
        {
            "prediction_id": row.id,
            "revision": 0,
            "known_at": row.bar_close + timedelta(days=horizon),
            "bar_date": row.bar_date + timedelta(days=horizon),
            "bar_close": row.bar_close + timedelta(days=horizon),
            "log_return": 0.0,
            "label": int(label),
            "variance": 1e-4,
        }
        for row, label in zip(rows, np.ravel(labels), strict=True)
    ]
    with journal.begin() as connection:
        record(connection, rows)
        connection.execute(insert(outcomes), known)


def market(days, seed=0, sharpness=2.0):
    """Return true chances (days, symbols, 3) and labels (days, symbols) drawn from them."""
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet([sharpness] * 3, (days, len(NAMES)))
    draws = rng.random((days, len(NAMES), 1))
    labels = (draws > chances.cumsum(axis=2)).sum(axis=2)
    return chances, np.minimum(labels, 2)

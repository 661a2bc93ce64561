"""Rows of predictions, and the writer of a server, for tests of the journal."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from configs import JournalConfig
from serving.journal import open_journal
from serving.journal.predictions import PredictionRow
from serving.journal.served import ServedPredictions

START = datetime(2026, 1, 5, tzinfo=UTC)


def prediction(symbol="AAA", kind="direction", day=0, **changes):
    """Return a prediction of the bar of a day since 5 January 2026, with baselines."""
    date = START + timedelta(days=day)
    row = {
        "symbol": symbol,
        "kind": kind,
        "bar_date": date,
        "bar_close": date + timedelta(hours=21),
        "horizon_bars": 1 if kind == "direction" else 5,
        "version": "v1",
        "made_at": date + timedelta(hours=21, minutes=5),
        "made_by": "test",
        "close": 100.0,
        "level": 0.9,
    }
    if kind == "direction":
        row |= {"p_down": 0.3, "p_sideways": 0.3, "p_up": 0.4, "band": 0.01}
        row |= {"in_set_down": True, "in_set_sideways": False, "in_set_up": True}
        row |= {"baselines": {"prior": [0.25, 0.5, 0.25], "logistic": [0.3, 0.35, 0.35]}}
    else:
        row |= {"variance": 1e-4, "low": 5e-5, "high": 2e-4, "bars_per_year": 252.0}
        row |= {"baselines": {"log_har": 1.1e-4, "ewma": 1.2e-4}}
    return PredictionRow(**(row | changes))


@pytest.fixture(scope="session")
def make_prediction() -> Callable[..., PredictionRow]:
    return prediction


QUICK = JournalConfig(flush_s=0.01, busy_timeout_s=0.05)


@pytest.fixture
def quick() -> JournalConfig:
    """Settings of a writer that writes at once."""
    return QUICK


@pytest.fixture
def url(sqlite_template, tmp_path):
    return f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'journal.db')}"


@pytest.fixture
def recorder(url):
    """The writer of a server's predictions on a SQLite file."""
    served = ServedPredictions(lambda: open_journal(url, config=QUICK), QUICK)
    yield served
    served.close()

"""A stand-in of sources, and the lake after a fetch from it."""

import pandas as pd
import pytest
from source_standin import source_standin

from cluster.alternative_fetch import fetch_rows
from features.store.alternative import AlternativeLake
from features.store.store import Store

KEYS = {
    "FRED_API_KEY": "0123456789abcdef-fred/key",
    "APCA_API_KEY_ID": "alpaca-identity-123",
    "APCA_API_SECRET_KEY": "alpaca-secret-456",
    "ALPHAVANTAGE_API_KEY": "ALPHAKEY7",
    "SEC_CONTACT": "Jane Doe jane@example.com",
}


@pytest.fixture
def keys(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return KEYS


@pytest.fixture
def standin():
    with source_standin() as found:
        yield found


class Fetching:
    """Fetches into one store; ``slept`` has the seconds that were waited for."""

    def __init__(self, folder, url):
        self.store, self.url, self.slept = Store(folder), url, []
        self.lake = AlternativeLake(self.store)

    def __call__(self, source, *items, start=None, end=None, now="2026-06-01T12:00Z"):
        days = [None if one is None else pd.Timestamp(one).date() for one in (start, end)]
        clock = now if callable(now) else lambda: pd.Timestamp(now)
        return fetch_rows(self.store, source, items, *days, base_url=self.url, clock=clock, sleep=self.slept.append)


@pytest.fixture
def fetch(tmp_path, standin, keys):
    return Fetching(tmp_path / "store", standin.url)

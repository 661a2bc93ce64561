"""Times are aware, in UTC, and the same rows on both engines whatever the host's zone."""

import os
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, text

from configs import ConfigError, DataError
from serving.journal.schema import leases, monitor_states, steps

MOMENTS = [
    datetime(2026, 3, 8, 2, 30, 0, 123456, tzinfo=UTC),
    datetime(2026, 11, 27, 13, 0, tzinfo=ZoneInfo("America/New_York")),
    datetime(2026, 1, 2, 9, tzinfo=timezone(timedelta(hours=9))),
    datetime(1970, 1, 1, tzinfo=UTC),
]


def rows(moment):
    return {"name": str(moment), "holder": "a", "token": 1, "expires_at": moment}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_comes_back_in_utc_to_the_microsecond(journal, moment):
    with journal.begin() as connection:
        connection.execute(insert(leases), rows(moment))
    with journal.connect() as connection:
        found = connection.execute(select(leases.c.expires_at)).scalar_one()
        later = select(leases.c.name).where(leases.c.expires_at >= moment)
        assert connection.execute(later).all() and found == moment and found.tzinfo is UTC
        assert not connection.execute(later.where(leases.c.expires_at > moment)).all()


@pytest.mark.parametrize("wrong", [datetime(2026, 1, 2), "2026-01-02T00:00:00Z", date(2026, 1, 2), 0])
def test_naive_times_and_what_is_no_time_are_refused(journal, wrong):
    with pytest.raises(ConfigError, match="no time zone"), journal.begin() as connection:
        connection.execute(insert(leases), rows(wrong))


def test_json_and_dates_come_back_as_they_were(journal):
    state = {"cash": 0.1 + 0.2, "positions": {"A": -1.5e-17, "B": 1e300}, "days": [1, None, True, "ü"]}
    with journal.begin() as connection:
        connection.execute(insert(monitor_states), {"name": "skill", "day": date(2026, 1, 2), "state": state})
    with journal.connect() as connection:
        assert connection.execute(select(monitor_states)).one() == ("skill", date(2026, 1, 2), state)


def test_numbers_that_json_does_not_have_are_refused(journal):
    now = datetime.now(UTC)
    row = {"bot": "b", "instant": now, "started_at": now, "finished_at": now, "symbols": 1, "notes": [float("nan")]}
    with pytest.raises(DataError, match="cannot be stored as JSON"), journal.begin() as connection:
        connection.execute(insert(steps), row)


WRITE = """
import sys
from datetime import UTC, datetime
from sqlalchemy import insert
from serving.journal import open_journal
from serving.journal.schema import leases
with open_journal(sys.argv[1]) as journal, journal.begin() as connection:
    for i, moment in enumerate((datetime(2026, 3, 8, 2, 30, tzinfo=UTC), datetime.fromtimestamp(1.5, UTC))):
        connection.execute(insert(leases), {"name": str(i), "holder": "", "token": 0, "expires_at": moment})
"""


@pytest.mark.slow
def test_a_host_in_tokyo_writes_and_reads_the_same_rows(journal, journal_url, monkeypatch):
    subprocess.run([sys.executable, "-c", WRITE, journal_url], env={**os.environ, "TZ": "Asia/Tokyo"}, check=True)
    expected = [datetime(2026, 3, 8, 2, 30, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)]
    for zone in ("Asia/Tokyo", "UTC"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        with journal.connect() as connection:
            found = connection.execute(select(leases.c.expires_at).order_by(leases.c.name)).scalars().all()
            raw = connection.execute(text("SELECT expires_at FROM leases ORDER BY name")).scalars().all()
        assert list(found) == expected and all(one.tzinfo is UTC for one in found)
        if journal.is_sqlite:
            assert list(raw) == ["2026-03-08 02:30:00.000000", "1970-01-01 00:00:01.500000"]
        journal.close()
    monkeypatch.undo()
    time.tzset()

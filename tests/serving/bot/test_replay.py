"""A replay of past bars: the account is the backtest's to the cent, and a replay that is interrupted is the same."""

from datetime import UTC, datetime
from threading import current_thread, main_thread

import pytest
from sqlalchemy import Engine, event, select, text, update

from configs.errors import ClusterError
from configs.load import load_config
from features.store.store import Store
from serving.bot.leader import lease_name
from serving.bot.replay import Replay
from serving.bot.status import bot_status
from serving.journal import open_journal
from serving.journal.database import connect_journal
from serving.journal.leases import acquire
from serving.journal.migrate import VERSION_TABLE
from serving.journal.schema import (
    accounts,
    alerts,
    fills,
    leases,
    orders,
    outcomes,
    positions,
    predictions,
    registrations,
    signals,
)
from training.backtesting.sources import of_walk_forward

pytestmark = pytest.mark.slow

LEDGER = (predictions, outcomes, signals, orders, fills, positions, accounts, alerts)
UNSTABLE = {"made_at", "known_at"}
PERIOD = ("backtest.start=2016-02-01", "backtest.end=2016-04-29")  # of two windows


@pytest.fixture(scope="module")
def found(walked):
    return of_walk_forward(Store(walked.store), walked.name)


@pytest.fixture(scope="module")
def make_replay(walked, found):
    def make(database, *overrides):
        config = load_config("smoke", overrides=["bot.name=replay", *overrides])
        return Replay(found, dict.fromkeys(found.tables, walked.name), config, Store(walked.store), database)

    return make


def rows_of(url: str) -> dict[str, list]:
    with open_journal(url) as journal, journal.connect() as connection:
        return {
            table.name: sorted(
                tuple((name, str(value)) for name, value in row.items() if name not in UNSTABLE)
                for row in connection.execute(select(table)).mappings()
            )
            for table in LEDGER
        }


@pytest.mark.parametrize(
    "settings",
    [
        ["strategy.name=volatility_target"],
        [
            "strategy.name=direction_x_volatility",
            "strategy.filter.skill=assumed",
            "strategy.stops.touch_probability=0.3",
        ],
    ],
)
def test_the_account_is_the_backtests_to_the_cent(make_replay, tmp_path, settings):
    url = f"sqlite:///{tmp_path}/replay.db"
    result = make_replay(url, *settings, *PERIOD).run()
    assert result.fills > 3
    assert result.difference < 0.005
    assert result.equity != 1_000_000.0
    assert len(result.models["direction"]) == 2
    for skill in result.skill.values():
        assert skill.rows > 150
        assert skill.loss == pytest.approx(skill.backtest_loss, rel=1e-6)
    with open_journal(url) as journal:
        status = bot_status(journal, "replay", datetime.now(UTC))
    assert status.problems == (
        "no process runs bot replay",
        "no scan has ended well yet: its steps are of a replay",
    )


def test_a_replay_in_parts_is_the_same(make_replay, tmp_path, found):
    whole, parts = f"sqlite:///{tmp_path}/whole.db", f"sqlite:///{tmp_path}/parts.db"
    make_replay(whole, *PERIOD).run()
    days = make_replay(parts, *PERIOD).feed.dates
    for last in (days[8], days[9], days[-1]):
        make_replay(parts, PERIOD[0], f"backtest.end={str(last)[:10]}").run()
    first, second = rows_of(whole), rows_of(parts)
    for name in first:
        assert first[name] == second[name], name
    assert first["outcomes"] and first["alerts"]


def test_a_journal_of_an_older_fleetcast_goes_on(make_replay, tmp_path):
    whole, older = f"sqlite:///{tmp_path}/whole.db", f"sqlite:///{tmp_path}/older.db"
    days = [str(day)[:10] for day in make_replay(whole).feed.dates]
    make_replay(whole, f"backtest.start={days[30]}", f"backtest.end={days[36]}").run()
    make_replay(older, f"backtest.start={days[30]}", f"backtest.end={days[33]}").run()
    with (
        connect_journal(older) as journal,
        journal.begin() as connection,
    ):  # before registrations and an account's terms
        registrations.drop(connection)
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0002'"))
        connection.execute(text("UPDATE steps SET state = json_remove(state, '$.terms') WHERE state IS NOT NULL"))
    make_replay(older, f"backtest.start={days[30]}", f"backtest.end={days[36]}").run()
    assert (tmp_path / "older.db.version-0002").exists()
    first, second = rows_of(whole), rows_of(older)
    for name in first:
        assert first[name] == second[name], name
    assert len(first["accounts"]) == 7


def test_a_replay_that_another_process_does_says_when_it_is_free(make_replay, tmp_path):
    url = f"sqlite:///{tmp_path}/replay.db"
    with open_journal(url) as journal:
        acquire(journal, lease_name("replay"), term_s=30)
        with pytest.raises(ClusterError, match=r"another process replays bot replay .* or 30 s if it was killed"):
            make_replay(url, *PERIOD, "bot.lease_s=30").run()


class Crash(BaseException):
    """The end of a process: no code of the bot catches it."""


def test_a_process_that_ends_before_any_commit_changes_nothing(make_replay, tmp_path):
    days = [str(day)[:10] for day in make_replay(f"sqlite:///{tmp_path}/x.db").feed.dates]
    period = (f"backtest.start={days[30]}", f"backtest.end={days[31]}")
    whole = f"sqlite:///{tmp_path}/whole.db"
    commits = _commits(lambda: make_replay(whole, *period).run(), crash_at=None)
    expected = rows_of(whole)
    assert len(expected["accounts"]) == 2 and commits > 8
    for crash_at in range(1, commits + 1):
        url = f"sqlite:///{tmp_path}/{crash_at}.db"
        with pytest.raises(Crash):
            _commits(lambda url=url: make_replay(url, *period).run(), crash_at=crash_at)
        _expire_leases(url)
        make_replay(url, *period).run()
        found = rows_of(url)
        for name in expected:
            assert found[name] == expected[name], (crash_at, name)


def _expire_leases(url):
    """Do what time does to the lease of a process that ended."""
    with open_journal(url) as journal, journal.begin() as connection:
        connection.execute(update(leases).values(expires_at=datetime(2000, 1, 1, tzinfo=UTC)))


def _commits(run, crash_at) -> int:
    """Run, and end before the commit of this number; return how many there were."""
    count = 0

    def on_commit(connection) -> None:
        nonlocal count
        if current_thread() is main_thread():
            count += 1
            if count == crash_at:
                raise Crash

    event.listen(Engine, "commit", on_commit)
    try:
        run()
    finally:
        event.remove(Engine, "commit", on_commit)
    return count

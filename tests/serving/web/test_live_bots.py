"""``/v1/bot`` over HTTP: what the bot journaled, one read for many clients, keys, and errors in words."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select
from waiting import BOUND_S

from configs.operation import ServeConfig
from serving.client import FleetcastClient, ServerError
from serving.journal import open_journal
from serving.journal.schema import accounts, signals
from serving.web.api import build_api
from serving.web.keys import Keys, add_key
from serving.web.live_bots import LiveBots
from serving.web.prediction_service import EngineService

pytestmark = pytest.mark.slow


@pytest.fixture
def start(engine, start_server):
    """Return a function that starts a server with these bots and returns its URL."""
    return lambda bots, **more: start_server(build_api(EngineService(engine, 512), ServeConfig(), bots=bots, **more))


def test_a_client_gets_what_the_bot_journaled(desk, start):
    with FleetcastClient(start(desk.bots())) as client:
        found = client.bot()
    (bot,) = found["bots"]
    assert found["at"] == desk.now.isoformat() and bot["healthy"]
    assert bot["step"]["notes"]["late"].keys() == {"DDD"}
    with desk.open() as journal, journal.connect() as connection:
        equity = connection.execute(select(accounts.c.equity).order_by(accounts.c.instant)).scalars().all()
        newest = connection.execute(select(signals).where(signals.c.bar_close == desk.now)).mappings().all()
    assert bot["series"]["equity"] == equity and len(equity) == 6
    weights = {row["symbol"]: row["position_size"] for row in bot["signals"]}
    assert weights == {row["symbol"]: row["position_size"] for row in newest} and any(weights.values())
    assert [task["task"] for task in bot["tasks"]] == ["scan", "outcomes", "monitoring", "heartbeat"]
    assert "dead_data" in {alert["event"] for alert in bot["alerts"]}


def test_the_journal_is_read_once_for_many_clients(desk, start):
    times = []

    def clock():
        times.append(desk.now)
        return desk.now

    url = start(LiveBots(desk.open, clock, fresh_s=60.0))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx2.get(f"{url}/v1/bot", timeout=BOUND_S), range(16)))
    assert {one.status_code for one in answers} == {200} and len(times) == 1


def test_a_dead_bot_is_said_to_be(desk, start):
    (bot,) = httpx2.get(f"{start(desk.bots(days=10))}/v1/bot", timeout=BOUND_S).json()["bots"]
    assert not bot["healthy"] and bot["silent_periods"] >= 2
    assert any(text.startswith("no scan for ") for text in bot["problems"])


def test_a_key_is_needed_where_the_server_has_keys(desk, start, tmp_path):
    key = add_key(tmp_path / "keys", "desk")
    url = start(desk.bots(), keys=Keys(tmp_path / "keys"))
    assert httpx2.get(f"{url}/v1/bot", timeout=BOUND_S).status_code == 401
    with FleetcastClient(url, key=key) as client:
        assert len(client.bot()["bots"]) == 1


def test_without_a_journal_the_answer_says_how_to_have_one(url):
    with FleetcastClient(url, retries=0) as client, pytest.raises(ServerError, match="--journal") as refused:
        client.bot()
    assert (refused.value.status, refused.value.code) == (404, "no_journal")


def test_a_database_that_is_down_is_asked_again_when_it_is_back(start, tmp_path):
    url, opened = f"sqlite:///{tmp_path / 'journal.db'}", []

    def open_database():
        opened.append(url)
        return open_journal(url, create=False)

    server = start(LiveBots(open_database, fresh_s=0.0))
    refused = httpx2.get(f"{server}/v1/bot", timeout=BOUND_S)
    assert refused.status_code == 503 and refused.headers["Retry-After"] == "5"
    assert "there is no journal at" in refused.json()["error"]["message"]
    assert not Path(tmp_path / "journal.db").exists(), "reading creates nothing"
    open_journal(url).close()
    assert httpx2.get(f"{server}/v1/bot", timeout=BOUND_S).json()["bots"] == [] and len(opened) == 2


def test_an_error_is_given_again_for_a_while(start, tmp_path):
    opened = []

    def open_database():
        opened.append(1)
        return open_journal(f"sqlite:///{tmp_path / 'journal.db'}", create=False)

    server = start(LiveBots(open_database))
    assert {httpx2.get(f"{server}/v1/bot", timeout=BOUND_S).status_code for _ in range(3)} == {503}
    assert len(opened) == 1

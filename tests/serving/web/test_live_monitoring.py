"""``/v1/monitoring`` over HTTP: figures of the journal, one computation for many clients, errors in words."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from waiting import BOUND_S

from configs.operation import ServeConfig
from serving.journal import open_journal
from serving.monitoring.monitor import Monitor
from serving.web.api import build_api
from serving.web.live_monitoring import LiveMonitoring
from serving.web.prediction_service import EngineService


@pytest.fixture
def ask(engine, start_server):
    """Return a function that asks a server with this monitoring, with some clients at the same time."""

    def run(monitoring, clients=1):
        url = start_server(build_api(EngineService(engine, 512), ServeConfig(), monitoring=monitoring))
        with ThreadPoolExecutor(clients) as pool:
            return list(pool.map(lambda _: httpx2.get(f"{url}/v1/monitoring", timeout=BOUND_S), range(clients)))

    return run


@pytest.mark.slow
def test_the_journal_of_the_server_is_judged_once_for_many_clients(ask, tmp_path):
    opened = []

    def open_monitor():
        opened.append(open_journal(f"sqlite:///{tmp_path / 'journal.db'}"))
        return Monitor(opened[-1])

    answers = ask(LiveMonitoring(open_monitor), clients=8)
    assert {one.status_code for one in answers} == {200} and len({one.text for one in answers}) == 1
    assert answers[0].json()["kinds"] == {} and answers[0].json()["alarm"] is False
    assert len(opened) == 1
    opened[0].close()


def test_without_a_journal_the_answer_says_how_to_have_one(ask):
    (answer,) = ask(None)
    assert answer.status_code == 404 and "--journal" in answer.json()["error"]["message"]


def test_a_database_that_cannot_be_opened_is_unavailable(ask, tmp_path):
    def open_monitor():
        return Monitor(open_journal(f"sqlite:///{tmp_path / 'missing' / 'journal.db'}"))

    (answer,) = ask(LiveMonitoring(open_monitor))
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "30"
    assert "journal.db" in answer.json()["error"]["message"]

"""Answers and failures of servers, on real sockets."""

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from configs.errors import ConfigError
from features.alternative.fetch import catalog
from features.alternative.fetch.credentials import Credential
from features.alternative.fetch.http import Http, SourceError, backoff_s

KEY = "s3cret/key+1"


@pytest.fixture
def http(standin, monkeypatch):
    monkeypatch.setenv("SOURCE_KEY", KEY)
    standin.routes["/x"] = lambda query: {"value": [1, None]}
    slept = []
    credential = Credential("SOURCE_KEY", "query", "api_key", "Export it.")
    one = Http("source", standin.url, (credential,), attempts=3, sleep=slept.append)
    one.slept = slept
    yield one
    one.close()


def test_a_key_is_sent_and_in_no_log_line(http, standin, caplog):
    caplog.set_level(logging.DEBUG)
    assert http.get("/x", {"series_id": "A B"}) == {"value": [1, None]}
    assert standin.asked[0].query == {"series_id": "A B", "api_key": KEY}
    assert "series_id" in caplog.text and "s3cret" not in caplog.text


@pytest.mark.parametrize("act", [429, 500, 503, "half", "broken", "close"])
def test_what_may_pass_is_requested_again(http, standin, act):
    standin.script = [act]
    assert http.get("/x") == {"value": [1, None]}
    assert len(standin.asked) == 2 and 0.5 <= http.slept[0] <= 2.0


@pytest.mark.parametrize(
    ("act", "requests", "stops", "is_answered", "says"),
    [
        (429, 3, True, True, "accepts no more requests"),
        (401, 1, True, True, "Check SOURCE_KEY"),
        (403, 1, True, True, "refuses the request"),
        ((400, {}, {"error_message": f"the variable api_key {KEY} is not registered"}), 1, True, True, "SOURCE_KEY"),
        ((400, {}, {"error_message": "The series does not exist."}), 1, False, True, "The series does not exist. Che"),
        (404, 1, False, True, "status 404"),
        ((302, {"Location": "http://127.0.0.1:1/"}, {}), 1, True, True, "--base-url"),
        (500, 3, False, False, "status 500"),
        ("half", 3, False, False, "did not answer completely"),
        ("broken", 3, False, True, "no JSON"),
    ],
)
def test_a_failure_is_one_clear_error_without_the_key(http, standin, act, requests, stops, is_answered, says):
    standin.script = [act] * 3
    with pytest.raises(SourceError) as caught:
        http.get("/x", {"series_id": "A"})
    message = str(caught.value)
    assert says in message and message.startswith("source ") and "\n" not in message and len(message) < 340
    assert "s3cret" not in repr(caught.value) and "s3cret" not in repr(caught.value.__cause__)
    assert (caught.value.stops, caught.value.is_answered) == (stops, is_answered)
    assert len(standin.asked) == requests and len(http.slept) == requests - 1


@pytest.mark.parametrize("act", ["stall", "drip"])
def test_a_server_that_stops_sending_is_left(standin, act):
    standin.script = [act]
    http = Http("source", standin.url, timeout_s=0.1, attempts=1)
    with pytest.raises(SourceError, match="did not answer completely") as caught:
        http.get("/x")
    http.close()
    assert not caught.value.is_answered and not caught.value.stops


def test_retry_after_is_obeyed_up_to_two_minutes(http, standin):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    standin.script = [(429, {"Retry-After": "7"}, {}), (503, {"Retry-After": soon}, {})]
    http.get("/x")
    assert 7.0 <= http.slept[0] <= 7.5 and 5.0 <= http.slept[1] <= 30.5
    standin.script = [(429, {"Retry-After": "3600"}, {})]
    with pytest.raises(SourceError, match="no request for 3,600 s") as caught:
        http.get("/x")
    assert caught.value.stops and len(http.slept) == 2


def test_no_server_is_an_error_that_stops_the_run(http, standin):
    standin.close()
    with pytest.raises(SourceError, match="cannot be reached") as caught:
        http.get("/x")
    assert caught.value.stops and not caught.value.is_answered


def test_an_answer_has_a_largest_size(http, standin, monkeypatch):
    monkeypatch.setattr("features.alternative.fetch.http._MAX_BYTES", 1_000)
    standin.routes["/x"] = lambda query: ["x" * 2_000]
    with pytest.raises(SourceError, match="shorter period"):
        http.get("/x")


def test_requests_have_the_least_distance_that_a_source_asks_for(standin):
    standin.routes["/x"] = lambda query: []
    slept = []
    http = Http("source", standin.url, pause_s=500.0, sleep=slept.append)
    http.get("/x")
    http.get("/x")
    http.close()
    assert len(slept) == 1 and 400.0 < slept[0] <= 500.0


def test_delays_are_random_and_grow_to_a_minute():
    for attempt, longest in ((0, 2.0), (1, 4.0), (3, 16.0), (9, 60.0)):
        delays = {backoff_s(attempt) for _ in range(20)}
        assert len(delays) > 1 and 0.5 * longest <= min(delays) and max(delays) <= longest


def test_keys_are_needed_and_go_unencrypted_to_this_machine_only(monkeypatch):
    credential = Credential("SOURCE_KEY", "query", "api_key", "Export it.")
    for value in ("", "a\nb", "é"):
        monkeypatch.setenv("SOURCE_KEY", value)
        with pytest.raises(ConfigError, match="needs SOURCE_KEY") as caught:
            Http("source", "https://example.com", (credential,))
        assert not value or value not in str(caught.value)
    monkeypatch.setenv("SOURCE_KEY", KEY)
    with pytest.raises(ConfigError, match="unencrypted"):
        Http("source", "http://example.com", (credential,))
    for wrong in ("example.com", "ftp://example.com", "https://me:pass@example.com", "https://x/?key=1"):
        with pytest.raises(ConfigError, match="--base-url") as caught:
            Http("source", wrong)
        assert "pass" not in str(caught.value).removesuffix("without a password.")


def test_every_source_is_found_and_uses_an_encrypted_address():
    found = catalog()
    assert sorted(found) == [
        "alpaca",
        "alphavantage",
        "edgar",
        "fred",
        "open_meteo",
        "yahoo_news",
        "yahoo_options",
    ]
    assert all(spec.base_url.startswith("https://") or not spec.credentials for spec in found.values())

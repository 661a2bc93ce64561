"""``fleetcast data fetch`` of data that are not bars, against a server on loopback."""

import json

import pytest
from source_standin import source_standin

KEY = "secret-key-of-alpaca"


@pytest.fixture
def standin(monkeypatch):
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.setenv(name, KEY)
    with source_standin() as found:
        found.routes["/v1beta1/news"] = lambda query: (
            403
            if query["symbols"] == "DENIED"
            else {
                "news": [
                    {"id": 1, "created_at": "2025-05-01T14:00:00Z", "updated_at": None, "headline": "Profit [up]"}
                ],
                "next_page_token": None,
            }
        )
        yield found


def test_fetched_texts_are_listed_inspected_and_stored_once(standin, call, tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETCAST_LOG", "DEBUG")
    monkeypatch.setenv("COLUMNS", "160")
    store = ("--store", str(tmp_path / "store"))
    fetch = ("--verbose", "data", "fetch", "--source", "alpaca", "--start", "2025-05-01", "--base-url", standin.url)
    first = call(*fetch, "--symbols", "AAPL,DENIED", *store, "--json")
    found = json.loads(first.out)
    assert first.code == 0 and found["added"] == {"text": 1} and found["without_bars"] == ["AAPL"]
    assert list(found["missing"]) == ["DENIED"] and "Check APCA_API_KEY_ID" in found["missing"]["DENIED"]
    again = call(*fetch, "--symbols", "AAPL", *store)
    assert again.code == 0 and "text: 0 rows added" in again.out
    seen = json.loads(call("data", "inspect", "--alternative", *store, "--json").out)["rows"]
    assert [(row["symbol"], row["name"], row["sources"]) for row in seen] == [("AAPL", "news", ["alpaca"])]
    shown = call("data", "inspect", "--alternative", *store)
    assert "AAPL" in shown.out and "alpaca" in shown.out
    assert json.loads(call("data", "list", *store, "--json").out)["alternative"]["text"] == ["AAPL"]
    failed = call(*fetch, "--symbols", "DENIED", *store)
    assert failed.code == 2 and "nothing was fetched: DENIED: alpaca refuses the request" in failed.err
    for done in (first, again, failed):
        assert KEY not in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--source", "fred", "--symbols", "AAPL"), "needs --series, but --symbols is given"),
        (("--source", "open_meteo", "--start", "2025-01-01"), "needs --place, but none is given"),
        (("--source", "alpaca", "--symbols", "AAPL"), "needs the first day"),
        (("--source", "edgar", "--symbols", "AAPL", "--start", "2025-01-01"), "needs SEC_CONTACT"),
        (("--start", "2025-01-01"), "needs --symbols, but none is given"),
        (("--symbols", "AAPL"), "needs --start"),
        (("--symbols", "AAPL", "--start", "2025-01-01", "--base-url", "http://127.0.0.1:1"), "has one address"),
        (("--symbols", "AAPL", "--start", "2025-01-01", "--series", "CPI"), "but --series is given"),
        (("--source", "alphavantge", "--symbols", "A", "--start", "2025-01-01"), "Did you mean 'alphavantage'?"),
    ],
)
def test_options_that_a_source_does_not_read_are_refused(call, tmp_path, monkeypatch, arguments, says):
    monkeypatch.delenv("SEC_CONTACT", raising=False)
    done = call("data", "fetch", *arguments, "--store", str(tmp_path / "store"))
    assert done.code == 2 and says in done.err and len(done.err.splitlines()) == 1
    assert not (tmp_path / "store").exists()

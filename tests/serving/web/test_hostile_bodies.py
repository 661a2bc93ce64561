"""Bodies and parameters that no client should send get clear refusals, and never a 5xx."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processor_time import assert_fast
from starlette.testclient import TestClient

from configs.operation import ServeConfig
from serving.web.api import build_api
from serving.web.prediction_service import EngineService

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]
URL = "/v1/predictions"


@pytest.fixture(scope="module")
def client(engine):
    with TestClient(build_api(EngineService(engine, 512), ServeConfig()), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "path", "says"),
    [
        ('{"symbols": ["AAA"', "body", "EOF"),
        ("", "body", "EOF"),
        ("[]", "body", "expected an object, got a list of 0 items"),
        ('{"bars": {"AAA": [["2020-01-02", 1, 1, 1, 1, 1, 1]]}}', "body.bars.AAA.0", "at most 6 items, got 7"),
        ('{"bars": {"AAA": [{"close": 1}]}}', "body.bars.AAA.0", "a list: date, open, high, low, close, volume"),
        ('{"bars": {"AAA": {"close": 1}}}', "body.bars.AAA", "expected a list, got an object with 1 field"),
        ('{"symbols": "AAPL"}', "body.symbols", 'expected a list, got the text "AAPL"'),
        ('{"symbols": null, "types": "direction"}', "body.types", 'expected a list, got the text "direction"'),
        (
            '{"bars": {"AAA": [["2020-01-02", 1, 1, 1, null, 1]]}}',
            "body.bars.AAA.0.4",
            "close: expected a number, got null",
        ),
        ("{}", "body", "give symbols, or bars by symbol"),
        ('{"symbols": []}', "body.symbols", "at least 1"),
        ('{"symbols": [], "bars": {"A": [["2020-01-02", 1, 1, 1, 1, 1]]}}', "body.symbols", "at least 1"),
        ('{"symbols": ["A", "B", "A"]}', "body", "twice"),
        ('{"symbols": ["B"], "bars": {"A": [["2020-01-02", 1, 1, 1, 1, 1]]}}', "body", "symbols does not name"),
        ('{"symbols": ["AAA", 7]}', "body.symbols.1", "expected text, got 7"),
        (
            '{"symbols": ["AAA"], "types": ["returns"]}',
            "body.types.0",
            "expected 'direction' or 'volatility', got the text",
        ),
        ('{"symbols": ["AAA"], "types": []}', "body.types", "at least 1"),
        ('{"symbols": ["AAA"], "typos": 1}', "body.typos", "is no field; expected: symbols, types, bars"),
        ('{"symbols": [""]}', "body.symbols.0", "at least 1 character"),
        ('{"symbols": ["../../etc/passwd"]}', "body.symbols.0", "'..'"),
        ('{"symbols": ["A\\u0000"]}', "body.symbols.0", "printable"),
        (f'{{"symbols": ["{"A" * 65}"]}}', "body.symbols.0", "at most 64"),
        (json.dumps({"symbols": ["AAA"] * 10_000}), "body.symbols", "at most 5000"),
        ('{"bars": {"AAA": [["2020-01-02", NaN, 1, 1, 1, 1]]}}', "body.bars.AAA.0.1", "finite"),
        ('{"bars": {"AAA": [["2020-01-02", Infinity, 1, 1, 1, 1]]}}', "body.bars.AAA.0.1", "finite"),
        ('{"bars": {"AAA": [["2020-01-02", 1e999, 1, 1, 1, 1]]}}', "body.bars.AAA.0.1", "finite"),
        (
            '{"bars": {"AAA": [["2020-01-02", -1, 1, 1, 1, 1]]}}',
            "body.bars.AAA.0.1",
            "open: expected a number greater than 0, got -1",
        ),
        (
            '{"bars": {"AAA": [["2020-01-02", "1", 1, 1, 1, 1]]}}',
            "body.bars.AAA.0.1",
            "open: expected a number, got the text",
        ),
        ('{"bars": {"AAA": [["2020-01-02", 1, 1]]}}', "body.bars.AAA.0.3", "low: missing; a bar has date, open, high"),
        ('{"bars": {"AAA": []}}', "body.bars.AAA", "at least 1"),
    ],
)
def test_invalid_bodies_are_422_with_the_path_of_the_error(client, body, path, says):
    answer = client.post(URL, content=body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] == "invalid"
    assert any(detail["path"].startswith(path) and says in detail["message"] for detail in error["details"]), error
    assert not any(word in answer.text for word in ("Input should", "Field required", "Value error", "valid list"))


def test_parameters_of_a_path_are_refused_in_plain_words(client):
    error = client.get(f"{URL}/AAA", params={"types": "returns"}).json()["error"]
    assert error["message"] == "query.types.0: expected 'direction' or 'volatility', got the text \"returns\""
    error = client.get("/v1/history/AAA", params={"bars": "many"}).json()["error"]
    assert error["message"] == 'query.bars: expected a whole number, got the text "many"'
    error = client.get("/v1/history/AAA", params={"bars": 0}).json()["error"]
    assert error["message"].startswith("query.bars: expected a number of at least 1, got")


@pytest.mark.parametrize(
    "body",
    [
        b'{"bars": {"AAA": [' + b"[]," * 50_000 + b"[]]}}",
        b'{"symbols": [' + b"1," * 50_000 + b"1]}",
        b'{"bars": {' + b",".join(b'"%d": 1' % i for i in range(50_000)) + b"}}",
        b"{" + b",".join(b'"%d": 1' % i for i in range(50_000)) + b"}",
        b"[" + b"1," * 50_000 + b"1]",
    ],
    ids=["rows", "symbols", "bars", "fields", "list"],
)
def test_a_body_full_of_errors_gets_one_short_answer(client, body):
    answer = assert_fast(lambda: client.post(URL, content=body), 2.0, time.process_time)
    assert answer.status_code == 422 and len(answer.content) < 5000


def test_thousands_of_unknown_symbols_are_answered_quickly(client):
    body = {"symbols": [f"X{i}" for i in range(5000)]}
    answer = assert_fast(lambda: client.post(URL, json=body), 2.0, time.process_time)
    assert {item["error"]["code"] for item in answer.json()["predictions"]} == {"unknown_symbol"}


def test_unparsable_dates_are_reported_with_the_item(client, bars_of, rows_of):
    rows = rows_of(bars_of("AAA", 480))
    rows[3][0] = "yesterday"
    body = {"symbols": ["AAA", "BBB", "CCC"], "bars": {"AAA": rows, "CCC": [["?", *rows[0][1:]]]}}
    partly, by_name, unusable = client.post(URL, json=body).json()["predictions"]
    assert partly["error"] is None and "1 rows break a rule and were left out (unparsable_date 1)" in partly["notes"]
    assert by_name["error"] is None and [note[:8] for note in by_name["notes"]] == ["bars end"]
    assert unusable["error"]["code"] == "bad_bars"


def test_a_body_beyond_the_limit_is_413_without_being_parsed(client):
    answer = client.post(URL, content=b'{"symbols": ["' + b"A" * 10_000_000 + b'"]}')
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"

    def chunks():
        yield b'{"symbols": ["'
        for _ in range(20):
            yield b"A" * 1_000_000

    assert client.post(URL, content=chunks()).status_code == 413


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)

BAR = st.tuples(
    st.sampled_from(["2020-01-02", "2020-02-30", "now", "", "1e9"]) | st.text(max_size=12),
    *[st.floats(allow_nan=True) | st.integers() for _ in range(5)],
)

BODY = st.fixed_dictionaries(
    {},
    optional={
        "symbols": st.lists(st.sampled_from([*SYMBOLS, "ZZZ"]) | st.text(max_size=8), max_size=5) | JSON,
        "types": st.lists(st.sampled_from(["direction", "volatility", "x"]), max_size=3) | JSON,
        "bars": st.dictionaries(st.sampled_from(SYMBOLS) | st.text(max_size=6), st.lists(BAR, max_size=4), max_size=3)
        | JSON,
        "extra": JSON,
    },
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODY | JSON)
def test_no_json_body_causes_a_5xx(client, body):
    answer = client.post(URL, content=json.dumps(body).encode("utf-8", "surrogatepass"))
    assert answer.status_code in (200, 422)
    found = answer.json()
    if answer.status_code == 200:
        assert all(item["error"] or item["as_of"] is not None for item in found["predictions"])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_no_bytes_cause_a_5xx(client, body):
    assert client.post(URL, content=body).status_code == 422

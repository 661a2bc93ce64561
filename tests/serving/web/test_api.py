"""The HTTP interface: one item per symbol, clear refusals, and never a 500 for a client's input."""

import json
import shutil
import time
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from configs.errors import StoreError
from configs.operation import ServeConfig
from features.store.store import Store
from serving.answers import PredictionRequest
from serving.engine import PredictionEngine
from serving.web.api import build_api
from serving.web.keys import Keys, add_key
from serving.web.prediction_service import EngineService
from training.registry.reports import Reports

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]
URL = "/v1/predictions"


@contextmanager
def client_of(engine, config=None, **options):
    config = config or ServeConfig()
    api = build_api(EngineService(engine, config.max_queued), config, **options)
    with TestClient(api, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(engine):
    with client_of(engine) as client:
        yield client


def test_many_symbols_are_answered_in_order_each_with_its_own_result_or_error(client, engine):
    answer = client.post(URL, json={"symbols": ["BBB", "nosuch", "AAA"], "types": ["volatility"]})
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert [item["symbol"] for item in body["predictions"]] == ["BBB", "nosuch", "AAA"]
    good, bad, _ = body["predictions"]
    ours = engine.predict_single(PredictionRequest("BBB")).prediction
    assert good["volatility"]["annualised"] == ours.volatility.annualised
    assert good["direction"] is None and good["error"] is None
    assert bad["error"]["code"] == "unknown_symbol" and bad["volatility"] is None
    assert body["versions"] == engine.snapshot.versions and body["processing_ms"] > 0


def test_request_bars_give_the_numbers_of_the_servers_bars(client, bars_of, rows_of):
    rows = {symbol: rows_of(bars_of(symbol, 480)) for symbol in SYMBOLS}
    by_name = client.post(URL, json={"symbols": SYMBOLS}).json()["predictions"]
    from_bars = client.post(URL, json={"bars": rows}).json()["predictions"]
    for item, other in zip(by_name, from_bars, strict=True):
        assert item["as_of"] == other["as_of"]
        for class_ in ("down", "sideways", "up"):
            assert item["direction"]["probabilities"][class_] == pytest.approx(
                other["direction"]["probabilities"][class_], rel=1e-5
            )
        assert item["volatility"]["annualised"] == pytest.approx(other["volatility"]["annualised"], rel=1e-5)


def test_symbols_with_and_without_bars_mix_in_one_request(client, bars_of, rows_of):
    body = {"symbols": ["AAA", "BBB", "CCC"], "bars": {"BBB": rows_of(bars_of("BBB", 20)), "ZZZ": [], "AAA": []}}
    assert client.post(URL, json=body).status_code == 422
    del body["bars"]["ZZZ"], body["bars"]["AAA"]
    found = client.post(URL, json=body).json()["predictions"]
    assert [item["error"] and item["error"]["code"] for item in found] == [None, "too_few_bars", None]


def test_one_symbol_by_its_name(client, engine):
    answer = client.get(f"{URL}/AAA", params={"types": "direction"})
    assert answer.status_code == 200
    body = answer.json()
    assert body["symbol"] == "AAA" and body["volatility"] is None
    assert body["direction"]["version"] == engine.snapshot.versions["direction"]
    misspelt = client.get(f"{URL}/aaa").json()["error"]
    assert misspelt["suggestion"] == "AAA" and "did you mean AAA?" in misspelt["message"]
    assert client.get("/v1/history/aaa").json()["error"]["message"] == misspelt["message"]
    missing = client.get(f"{URL}/nosuch")
    assert missing.status_code == 404 and missing.json()["error"]["code"] == "unknown_symbol"


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
    start = time.perf_counter()
    answer = client.post(URL, content=body)
    assert answer.status_code == 422 and len(answer.content) < 5000
    assert time.perf_counter() - start < 2.0


def test_thousands_of_unknown_symbols_are_answered_quickly(client):
    start = time.perf_counter()
    answer = client.post(URL, json={"symbols": [f"X{i}" for i in range(5000)]})
    assert {item["error"]["code"] for item in answer.json()["predictions"]} == {"unknown_symbol"}
    assert time.perf_counter() - start < 2.0


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


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/predictions/..%2f..%2fetc", "/v1/predictions/%00"])
def test_unknown_paths_are_a_clear_4xx(client, path):
    answer = client.get(path)
    assert answer.status_code in (404, 422) and "error" in answer.json()


def test_other_methods_are_405(client):
    answer = client.delete(URL)
    assert answer.status_code == 405 and answer.json()["error"]["code"] == "method_not_allowed"


def test_symbols_models_and_stats_describe_what_is_served(client, engine):
    assert [facts["symbol"] for facts in client.get("/v1/symbols").json()] == SYMBOLS
    models = {facts["kind"]: facts for facts in client.get("/v1/models").json()}
    assert models["direction"]["version"] == engine.snapshot.versions["direction"]
    assert {"log_loss", "log_loss_prior"} <= set(models["direction"]["metrics"])
    assert all(set(facts["verdict"]) == {"status", "better_than", "worse_than"} for facts in models.values())
    stats = client.get("/v1/stats").json()
    assert stats["health"]["status"] == "stale" and stats["performance"]["predictions"] > 0
    assert client.get("/v1/health/live").json() == {"status": "ok"}
    ready = client.get("/v1/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "stale"}), "a probe must not fail for the bars' age"


def test_without_a_valid_key_nothing_is_answered(engine, tmp_path):
    key = add_key(tmp_path / "keys", "desk")
    with client_of(engine, keys=Keys(tmp_path / "keys")) as client:
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": f"Basic {key}"}):
            for path in ("/v1/symbols", "/v1/stats", f"{URL}/AAA", "/v1/nothing"):
                answer = client.get(path, headers=headers)
                assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
            assert client.post(URL, json={"symbols": ["AAA"]}, headers=headers).status_code == 401
        assert client.get("/v1/symbols", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        assert client.get("/v1/health/ready").status_code == 200


def test_every_route_but_pages_and_probes_needs_a_key(engine, tmp_path):
    add_key(tmp_path / "keys", "desk")
    api = build_api(EngineService(engine, 512), ServeConfig(), keys=Keys(tmp_path / "keys"))
    needs_none = {"/", "/bot", "/docs", "/openapi.json", "/symbols/{symbol:path}", "/static/{name}"}
    guarded = {route.path for route in api.routes} - needs_none - {"/v1/health/live", "/v1/health/ready"}
    assert guarded >= {"/v1/bot", "/v1/monitoring", "/v1/reports", "/reports/latest", URL}
    with TestClient(api) as client:
        found = {client.request(method, path).status_code for path in guarded for method in ("GET", "POST", "HEAD")}
    assert found == {401}


def test_a_path_prefix_does_not_bypass_the_guard(engine, tmp_path):
    key = add_key(tmp_path / "keys", "desk")
    config = ServeConfig(max_body_mib=0.001)
    api = build_api(EngineService(engine, 512), config, keys=Keys(tmp_path / "keys"))
    with TestClient(api, root_path="/ml") as client:
        assert client.get("/ml/v1/symbols").status_code == 401
        headers = {"Authorization": f"Bearer {key}"}
        assert client.get("/ml/v1/symbols", headers=headers).status_code == 200
        assert client.post(f"/ml{URL}", content=b"x" * 5000, headers=headers).status_code == 413
        assert client.get("/ml/v1/health/live").status_code == 200


def test_the_newest_tear_sheet_needs_a_key_and_runs_in_its_own_origin(engine, tmp_path):
    key = {"Authorization": f"Bearer {add_key(tmp_path / 'keys', 'desk')}"}
    reports = Reports(Store(tmp_path / "store"))
    with client_of(engine, keys=Keys(tmp_path / "keys"), reports=reports) as client:
        assert client.get("/reports/latest").status_code == client.get("/v1/reports").status_code == 401
        assert client.get("/v1/reports", headers=key).json() == []
        missing = client.get("/reports/latest", headers=key)
        assert missing.status_code == 404 and "fleetcast backtest --report" in missing.json()["error"]["message"]
        names = [reports.keep("Volatility target on run <1>", f"<p>{i}</p>".encode()) for i in range(12)]
        Store(tmp_path / "store").write("reports/20251399T999999999999Z-no-time.html", b"<p>x</p>")
        found = client.get("/v1/reports", headers=key).json()
        assert [one["name"] for one in found] == names[:1:-1] and names[0].endswith("-volatility-target-on-run-1.html")
        assert found[0]["size_bytes"] == 9 and found[0]["created"].endswith("Z")
        page = client.get("/reports/latest", headers=key)
        assert page.text == "<p>11</p>" and page.headers["content-type"].startswith("text/html")
        assert page.headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")
        assert client.get("/reports/../v1/symbols").status_code == 401
    with client_of(engine) as client:
        assert client.get("/v1/reports").json() == [] and client.get("/reports/latest").status_code == 404
    with pytest.raises(StoreError, match="expected at most 33,554,432"):
        reports.keep("large", bytes(32 * 2**20 + 1))


def test_the_documentation_accepts_a_key(engine, tmp_path):
    add_key(tmp_path / "keys", "desk")
    with client_of(engine, keys=Keys(tmp_path / "keys")) as client:
        assert client.get("/openapi.json").json()["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_errors_are_counted_by_code(trained_store):
    with PredictionEngine(trained_store, follow=False) as engine, client_of(engine) as client:
        client.post(URL, json={"symbols": ["AAA", "X", "Y", "BBB"]})
        stats = client.get("/v1/stats").json()["performance"]
        assert stats["success_rate"] == 0.5 and stats["errors"] == {"unknown_symbol": 2}


def test_stale_symbols_have_no_forecast_and_are_reported(trained_store):
    config = ServeConfig(max_age_days=30)
    with PredictionEngine(trained_store, follow=False, config=config) as engine, client_of(engine) as client:
        answer = client.get(f"{URL}/AAA")
        assert answer.status_code == 404 and answer.json()["error"]["code"] == "stale_bars"
        assert client.get("/v1/health/ready").json() == {"status": "stale"}
        assert "all symbols" in client.get("/v1/stats").json()["health"]["problems"][0]


def test_a_history_without_its_bars_is_503(store):
    with PredictionEngine(store, follow=False) as engine, client_of(engine) as client:
        assert client.get("/v1/history/AAA").status_code == 200
        shutil.rmtree(store.path("lake"))
        answer = client.get("/v1/history/AAA")
        assert answer.status_code == 503 and "is empty" in answer.json()["error"]["message"]
        assert client.get(f"{URL}/AAA").status_code == 200


def test_the_rate_limit_is_per_key_and_says_when_to_retry(engine, tmp_path):
    keys = [add_key(tmp_path / "keys", name) for name in ("one", "two")]
    with client_of(engine, ServeConfig(requests_per_minute=3), keys=Keys(tmp_path / "keys")) as client:
        statuses = {}
        for key in keys:
            headers = {"Authorization": f"Bearer {key}"}
            statuses[key] = [client.get("/v1/symbols", headers=headers).status_code for _ in range(4)]
        assert list(statuses.values()) == [[200, 200, 200, 429]] * 2
        last = client.get("/v1/symbols", headers={"Authorization": f"Bearer {keys[0]}"})
        assert 1 <= int(last.headers["Retry-After"]) <= 20 and last.json()["error"]["code"] == "rate_limited"


def test_an_answer_that_takes_too_long_is_503(engine, bars_of, rows_of):
    with client_of(engine, ServeConfig(timeout_s=0.001)) as client:
        answer = client.post(URL, json={"bars": {"AAA": rows_of(bars_of("AAA", 479))}})
        assert answer.status_code == 503 and answer.json()["error"]["code"] == "timeout"
        assert answer.headers["Retry-After"] == "1"


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

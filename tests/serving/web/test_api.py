"""The HTTP interface: one item per symbol, clear refusals, and never a 500 for a client's input."""

import shutil
from contextlib import contextmanager

import pytest
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
    named = {kind: (facts["loss_title"], facts["baseline"], facts["coverage"]) for kind, facts in models.items()}
    assert named == {
        "direction": ("log loss", "prior", "label sets"),
        "volatility": ("QLIKE", "log_har_pooled", "intervals"),
    }
    for facts in models.values():
        assert {f"{facts['loss']}_vs_{name}" for name in facts["references"]} <= set(facts["metrics"])
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

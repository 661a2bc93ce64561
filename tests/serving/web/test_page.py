"""The page in a real browser shows what the server answers."""

import re
import shutil
from dataclasses import replace
from urllib.parse import quote

import httpx2
import numpy as np
import pytest
from waiting import BOUND_S

from configs.operation import ServeConfig
from features.labels import annualised
from features.store.lake import Lake
from features.store.store import Store
from serving.engine import PredictionEngine
from serving.web.api import build_api
from serving.web.keys import Keys, add_key
from serving.web.prediction_service import EngineService
from training.registry.reports import Reports
from training.tasks import task_of

pytestmark = pytest.mark.slow

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]
SHOWN = "document.body.dataset.state"
POOLED, BASELINE = "not trained on this symbol: pooled model", "baseline forecast"


@pytest.fixture
def seen(browser):
    """Return a function that returns the document that a browser shows at a URL once its scripts have run."""

    def open_page(url, ready=SHOWN):
        browser.open(url, ready)
        assert not browser.errors
        return browser.value("document.documentElement.outerHTML")

    return open_page


@pytest.fixture(scope="module")
def page_engine(trained_store, bars_of, tmp_path_factory):
    """An engine that also serves symbols that no model was fitted on.

    The long halt of HALT makes its forecast a baseline's, OLD ends before the models were calibrated, the newest bar
    of STEP is off by a factor.
    """
    store = Store(shutil.copytree(trained_store, tmp_path_factory.mktemp("page") / "store"))
    bars = bars_of("CCC", 480)
    halted = np.arange(480) >= 180
    prices = {name: np.where(halted, bars.close[179], getattr(bars, name)) for name in ("open", "high", "low", "close")}
    Lake(store).append(replace(bars, symbol="HALT", **prices, volume=np.where(halted, 0.0, bars.volume)))
    Lake(store).append(replace(bars.first(300), symbol="OLD"))
    Lake(store).append(replace(bars, symbol="STEP"))
    newest = bars_of("CCC", 481).last(1)
    prices = {name: 100.0 * getattr(newest, name) for name in ("open", "high", "low", "close")}
    Lake(store).append(replace(newest, symbol="STEP", **prices))
    with PredictionEngine(store, follow=False) as engine:
        assert "prices step" in engine.snapshot.prediction("STEP").error.message
        forecast = engine.snapshot.prediction("HALT")
        assert (forecast.direction.basis, forecast.volatility.basis, forecast.fallback) == ("pooled", "pooled", True)
        yield engine


@pytest.fixture(scope="module")
def page_url(page_engine, start_server):
    return start_server(build_api(EngineService(page_engine, 512), ServeConfig()))


def test_all_symbols_are_shown_with_their_forecasts_and_the_models_skill(page_url, page_engine, seen):
    page = seen(page_url)
    for symbol in (*SYMBOLS, "HALT"):
        assert re.search(rf'<a href="/symbols/{symbol}">{symbol}</a>', page)
    assert "8 of 8 symbols" in page and page.count('class="bar"') == 7
    for fleet in page_engine.snapshot.fleets.values():
        assert f"version {fleet.version}" in page
        assert all(title in page for _, title in task_of(fleet.kind).layout.references), "each has a verdict"
    assert "untouched test period" in page and re.search(r"log loss [0-9.]+, the class prior [0-9.]+", page)
    ours = page_engine.snapshot.prediction("AAA")
    assert f"{100 * ours.volatility.annualised:.1f} %" in page
    assert 'role="alert" hidden=""' in page
    assert "all symbols are stale: bars end on 2016-11-02" in page
    remarks = "".join(f'<div class="range">{text}</div>' for text in (POOLED, BASELINE))
    assert re.findall(rf">(\w+)</a>{remarks}", page) == ["HALT"]
    assert (page.count(POOLED), page.count(BASELINE)) == (2, 1) and "prices step" in page


def test_the_newest_tear_sheet_is_linked_and_shown(page_engine, start_server, seen, browser, tmp_path):
    reports = Reports(Store(tmp_path))
    url = start_server(build_api(EngineService(page_engine, 512), ServeConfig(), reports=reports))
    assert browser_hides_link(seen(url))
    script = "<script>document.title = 'run'; try { sessionStorage.x } catch { document.title = 'alone'; }</script>"
    reports.keep("a strategy", f"<!doctype html><p>equity</p>{script}".encode())
    assert not browser_hides_link(seen(url))
    assert "equity" in seen(f"{url}/reports/latest", "document.title === 'alone'")


def browser_hides_link(page):
    (link,) = re.findall(r'<a id="report"[^>]*>', page)
    return "hidden" in link


def test_a_symbol_has_its_price_cone_history_and_remarks(page_url, seen):
    page = seen(f"{page_url}/symbols/HALT")
    assert "HALT · Fleetcast" in page
    assert page.count(POOLED) == 2 and page.count(BASELINE) == 1
    assert "cone of the volatility forecast" in page and "bars end on 2016-11-02" in page
    page = seen(f"{page_url}/symbols/AAA")
    assert page.count('class="main-svg"') >= 3, "three charts"
    for text in ("symbol's class prior", "The interval contained", "nominal 90 %"):
        assert text in page


def test_a_symbol_without_an_outcome_that_the_model_had_not_seen_says_so(page_url, seen):
    page = seen(f"{page_url}/symbols/OLD")
    assert page.count("No outcome yet that the model had not seen.") == 2 and "NaN" not in page
    assert "The interval contained" not in page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("path", ["/", "/symbols/AAA", "/symbols/aaa"])
def test_nothing_is_wider_than_the_screen_and_forecasts_come_before_models(browser, page_url, path, width, dark):
    browser.open(page_url + path, SHOWN, width, dark)
    assert not browser.errors
    assert browser.value("document.documentElement.scrollWidth") <= width
    cards = "[...document.querySelectorAll('.chart:not([hidden]), .card:not([hidden]), table, td')]"
    assert browser.value(f"{cards}.filter((card) => card.scrollWidth > card.clientWidth + 1).length") == 0
    outside = """[...document.querySelectorAll('.main-svg')].filter((chart) => {
        const card = chart.closest('.chart').getBoundingClientRect(), box = chart.getBoundingClientRect();
        return box.left < card.left || box.right > card.right || box.bottom > card.bottom;
    }).length"""
    assert browser.value(outside) == 0
    assert browser.value("document.querySelectorAll('#models details:not([open])').length") == 2
    top = "(selector) => document.querySelector(selector).getBoundingClientRect().top"
    if path != "/symbols/aaa":
        assert browser.value(f"({top})('.bar') < ({top})('#models')") and browser.value(f"({top})('.bar') < 844")
    background = browser.value("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(16, 21, 28)" if dark else "rgb(246, 247, 249)")


def test_a_forecast_says_its_bars_its_band_its_age_and_the_models_verdict(browser, page_url, page_engine):
    browser.open(f"{page_url}/symbols/AAA", SHOWN, 390)
    text = browser.value("document.body.innerText")
    ours = page_engine.snapshot.prediction("AAA")
    assert ours.direction.horizon in text and ours.volatility.horizon in text
    band = ours.direction.band
    assert f"sideways is −{-100 * band.low_return:.2f} % to +{100 * band.high_return:.2f} %, closes of " in text
    assert "bars end on 2016-11-02" in text
    assert text.count("on the test period: ") == 2
    for model in page_engine.snapshot.fleets.values():
        assert model.version not in text, "folded"


def test_a_misspelt_symbol_links_to_the_one_that_was_meant(browser, page_url):
    browser.open(f"{page_url}/symbols/aaa", SHOWN, 390)
    assert browser.value("document.querySelector('#problem a').textContent") == "AAA?"
    assert browser.value("document.querySelector('#problem a').pathname") == "/symbols/AAA"


def test_the_documentation_is_shown(url, seen):
    page = seen(f"{url}/docs", "document.querySelector('.opblock')")
    assert "/v1/predictions/{symbol}" in page.replace("<wbr>", "").replace("\u200b", "")


def test_an_unknown_symbol_is_an_error_and_its_name_is_only_text(url, seen):
    page = seen(f"{url}/symbols/%3Cimg%20src=x%20onerror=alert(1)%3E")
    assert "no model" in page
    assert "&lt;img src=x" in page and "<img" not in page


def test_no_script_in_the_name_of_a_served_symbol_runs(trained_store, bars_of, start_server, seen, browser, tmp_path):
    name = "<img src=x onerror=document.title='run'>"
    store = Store(shutil.copytree(trained_store, tmp_path / "store"))
    Lake(store).append(replace(bars_of("CCC", 480), symbol=name))
    with PredictionEngine(store, follow=False) as engine:
        url = start_server(build_api(EngineService(engine, 512), ServeConfig()))
        for path in ("/", "/symbols/" + quote(name), "/symbols/AAA#" + quote(name), "/?q=" + quote(name)):
            page = seen(url + path)
            assert "<img" not in page and browser.value("document.title") != "run"
            assert browser.value("document.querySelectorAll('img, script:not([src])').length") == 0
        assert "&lt;img src=x" in seen(url) and "&lt;img src=x" in seen(url + "/symbols/" + quote(name))


def test_without_a_key_the_page_asks_for_one(engine, start_server, seen, tmp_path):
    add_key(tmp_path / "keys", "desk")
    api = build_api(EngineService(engine, 512), ServeConfig(), keys=Keys(tmp_path / "keys"))
    page = seen(start_server(api))
    assert "an API key is needed" in page
    assert re.search(r'<form id="key-form" class="card">', page), "the form is shown"
    assert "AAA" not in page


def test_the_page_loads_nothing_from_another_host(url):
    scripts = ("common", "index", "symbol", "bot", "bot_words", "bot_sections", "live_skill", "ledger")
    files = (*(f"{name}.js" for name in scripts), "page.css", "bot.css")
    for path in ("/", "/symbols/AAA", "/bot", *(f"/static/{name}" for name in files)):
        answer = httpx2.get(url + path, timeout=BOUND_S)
        assert answer.status_code == 200
        assert not re.search(r"https?://", answer.text), path
    docs = httpx2.get(f"{url}/docs", timeout=BOUND_S).text
    assert "/static/swagger-ui-bundle.js" in docs and not re.search(r"https?://", docs)
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert httpx2.get(f"{url}/static/{name}", timeout=BOUND_S).status_code == 200
    assert "frame-ancestors 'none'" in httpx2.get(url, timeout=BOUND_S).headers["content-security-policy"]
    script = httpx2.get(f"{url}/static/plotly.min.js", timeout=BOUND_S)
    assert script.status_code == 200 and len(script.content) > 1_000_000
    for path in ("/static/../api.py", "/static/..%2fapi.py", "/static/api.py"):
        assert httpx2.get(url + path, timeout=BOUND_S).status_code == 404


def test_a_history_has_only_outcomes_that_the_model_had_not_seen(url, engine, universe):
    found = httpx2.get(f"{url}/v1/history/AAA", params={"bars": 120}, timeout=BOUND_S).json()
    assert len(found["dates"]) == len(found["close"]) == 120
    assert found["close"][-1] == universe["AAA"].close[479]
    for kind, column, tested in (("direction", "up", "p_up"), ("volatility", "annualised", "forecast")):
        past, fleet = found[kind], engine.snapshot.fleets[kind]
        assert past["version"] == engine.snapshot.versions[kind]
        assert past["dates"][0] > fleet.periods["valid"][1] and past["dates"][-1] == found["dates"][-1]
        outcomes = past["outcome" if kind == "direction" else "realised"]
        assert outcomes[-1] is None and None not in outcomes[:-1]
        # All but the last were made by the fit that the test judged: the published one knows their outcomes.
        table = fleet.tested_rows("AAA").to_pandas().set_index("date").loc[past["dates"][:-1]]
        ours = table[tested].to_numpy()
        if kind == "direction":
            prior = [past["prior"][outcome] for outcome in outcomes[:-1]]
            np.testing.assert_allclose(-np.log(prior), table["loss_prior"], rtol=1e-5)
        year = engine.snapshot.prediction("AAA").volatility.bars_per_year
        np.testing.assert_allclose(
            past[column][:-1], annualised(ours, year) if kind == "volatility" else ours, rtol=1e-5
        )
    ours = engine.snapshot.prediction("AAA")
    assert found["volatility"]["annualised"][-1] == pytest.approx(ours.volatility.annualised, rel=1e-5)
    assert found["direction"]["up"][-1] == pytest.approx(ours.direction.probabilities.up, rel=1e-5)
    assert httpx2.get(f"{url}/v1/history/nosuch", timeout=BOUND_S).status_code == 404

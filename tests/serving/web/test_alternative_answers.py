"""Models of alternative data: trained on the lake's tables, served from the same, and open about what is missing."""

import json
from datetime import UTC

import httpx2
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert
from waiting import BOUND_S

from configs.operation import ServeConfig
from features.alternative.checks import ReadingOptions
from features.alternative.read_series import read_series
from features.alternative.read_texts import read_text
from features.store.alternative import AlternativeLake
from features.store.lake import Lake
from features.store.store import Store
from serving import PredictionEngine, PredictionRequest
from serving.journal import open_journal
from serving.journal.schema import predictions, row_id
from serving.web.api import build_api
from serving.web.prediction_service import EngineService
from training import ModelTrainer

pytestmark = pytest.mark.slow

OPTIONS = ReadingOptions("test", np.datetime64("2100-01-01", "ns"))
HOUR = pd.Timedelta(hours=1)


def series_of(name: str, symbol: str, dates: np.ndarray, shift: float = 0.0) -> pd.DataFrame:
    values = 0.2 + 0.01 * np.sin(np.arange(len(dates)) / 9.0) + shift
    known = pd.DatetimeIndex(dates).tz_localize("UTC") + 12 * HOUR
    rows = {"symbol": symbol, "series": name, "period": dates, "value": values, "known_from": known}
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def store(tmp_path_factory, universe, tiny_config) -> Store:
    """Volatility models of three symbols; only AAA has texts, CCC has no implied volatility, BBB's has stopped."""
    store = Store(tmp_path_factory.mktemp("alternative") / "store")
    for bars in universe.values():
        Lake(store).append(bars.first(480))
    lake, dates = AlternativeLake(store), universe["AAA"].dates[:480]
    frames = [series_of("iv30", "AAA", dates), series_of("iv30", "BBB", dates[:440]), series_of("RATE", "", dates)]
    lake.append("series", read_series(pd.concat(frames), OPTIONS).rows)
    texts = pd.DataFrame({"published_at": frames[0]["known_from"], "symbol": "AAA", "text": "Profit rose at the firm"})
    texts = texts[np.arange(480) % 5 != 4]
    lake.append("text", read_text(texts, OPTIONS).rows)
    switches = ("features.use_alternative_data=true", "features.use_sentiment=true", "features.max_features=null")
    wanted = "features.technical_indicators=[volatility, options, macro, sentiment]"
    config = tiny_config("data.bars=lake", wanted, *switches)
    result = ModelTrainer(config, store).train_multi_asset_models(
        ["AAA", "BBB", "CCC"], ["volatility"], promote="always"
    )
    assert result.results[0].version
    assert [line for line in result.plan.warnings if line.startswith("the source options_iv30 of BBB has stopped")]
    return store


@pytest.fixture(scope="module")
def engine(store):
    with PredictionEngine(store, follow=False) as engine:
        yield engine


@pytest.fixture(scope="module")
def url(engine, start_server):
    return start_server(build_api(EngineService(engine, 512), ServeConfig()))


def test_an_answer_over_http_has_each_source_with_its_age_or_says_that_it_is_missing(url, universe, rows_of):
    body = {"symbols": ["AAA", "CCC"], "types": ["volatility"]}
    full, lacking = httpx2.post(f"{url}/v1/predictions", json=body, timeout=BOUND_S).json()["predictions"]
    sources = {one["name"]: one for one in full["sources"]}
    assert sources["options_iv30"] == {
        "name": "options_iv30",
        "group": "options",
        "known": True,
        "age_days": 0.5,  # bars of no known exchange are decided at midnight
        "texts": None,
        "tone": None,
    }
    news = sources["sentiment_news"]
    assert (news["texts"], news["known"]) == (4, True) and news["tone"] > 0.2 and news["age_days"] == 0.5
    assert not [note for note in full["notes"] if "have no recent value" in note]
    known = {one["name"]: one["known"] for one in lacking["sources"]}
    assert known == {"sentiment_news": False, "macro_rate": True, "options_iv30": False}
    assert [note for note in lacking["notes"] if "the model reads sentiment_news, options_iv30, which have no" in note]
    bars = universe["AAA"].first(480)
    body = {"bars": {"AAA": rows_of(bars)}, "types": ["volatility"]}
    (given,) = httpx2.post(f"{url}/v1/predictions", json=body, timeout=BOUND_S).json()["predictions"]
    assert given["sources"] == full["sources"], "the bars of a request read the same data"


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (390, True), (390, False)])
def test_the_page_shows_texts_tone_ages_and_what_is_missing(browser, url, width, dark):
    browser.open(f"{url}/symbols/AAA", "document.body.dataset.state", width, dark)
    assert not browser.errors
    card = browser.value("document.getElementById('sources').innerText")
    assert "the models read: prices, macro, sentiment, options" in card
    assert "news: 4 texts in 5 sessions, tone +0." in card and "before the close" in card
    assert "options: iv30 (" in card and "macro: rate (" in card and "without" not in card
    assert browser.value("document.documentElement.scrollWidth <= window.innerWidth")
    browser.open(f"{url}/symbols/CCC", "document.body.dataset.state", width, dark)
    card = browser.value("document.getElementById('sources').innerText")
    assert "without a recent value: sentiment news, options iv30; features of these count as missing" in card


def test_a_stopped_source_is_named_with_its_last_day(store, engine, call):
    (found,) = engine.snapshot.stopped_sources()
    assert (found.name, found.symbols) == ("options_iv30", ("BBB",))
    done = call("predict", "--store", str(store.root), "--kinds", "volatility", "--json", "-")
    assert f"note: {found}." in done.err and found.newest in done.err and done.code == 0


@pytest.fixture(scope="module")
def journaled(store, engine, tmp_path_factory):
    """The URL of a journal with the snapshot's forecasts."""
    url = f"sqlite:///{tmp_path_factory.mktemp('journal') / 'journal.db'}"
    version, rows = engine.snapshot.versions["volatility"], []
    for symbol in ("AAA", "BBB", "CCC"):
        day = engine.snapshot.last_bars[symbol].as_of.replace(tzinfo=UTC)
        key = row_id(symbol, "volatility", day.isoformat(), 5, version)
        row = {"id": key, "symbol": symbol, "kind": "volatility", "bar_date": day, "bar_close": day, "made_at": day}
        row |= {"horizon_bars": 5, "version": version, "made_by": "test", "basis": "own", "fallback": False}
        row |= {"close": 1.0, "variance": 1e-4, "level": 0.9, "baselines": {"log_har": 1e-4}, "is_shadow": False}
        rows.append(row)
    with open_journal(url) as journal, journal.begin() as connection:
        connection.execute(insert(predictions), rows)
    return url


def test_monitoring_names_a_stopped_source_in_words_and_as_json(store, engine, call, journaled, tmp_path):
    (found,) = engine.snapshot.stopped_sources()
    command = ("monitor", "--store", str(store.root), "--database", journaled)
    done = call(*command, "--html", str(tmp_path / "page.html"))
    assert f"volatility: {found}\n" in done.out and found.newest in (tmp_path / "page.html").read_text()
    report = json.loads(call(*command, "--json").out)["kinds"]["volatility"]
    assert report["stopped"] == [
        {"name": "options_iv30", "symbols": ["BBB"], "newest": found.newest, "usual_days": found.usual_days}
    ]
    assert json.loads(call(*command, "--json", "--no-features").out)["kinds"]["volatility"]["stopped"] == []


def test_a_revision_of_the_day_before_changes_the_answer_of_its_symbol(store, engine, universe):
    ask = [PredictionRequest(symbol, prediction_types="volatility") for symbol in ("AAA", "CCC")]
    full, lacking = (answer.prediction for answer in engine.predict_batch(ask))
    assert not engine.refresh()
    late = series_of("iv30", "AAA", universe["AAA"].dates[478:479], shift=0.09)
    late = late.assign(known_from=late["known_from"] + HOUR)
    AlternativeLake(store).append("series", read_series(late, OPTIONS).rows)
    assert engine.refresh(), "a revision of the day before is a new state"
    after, same = (answer.prediction for answer in engine.predict_batch(ask))
    assert after.volatility != full.volatility and same.volatility == lacking.volatility

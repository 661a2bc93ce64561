"""Models of alternative data: trained on the lake's tables, served from the same, and open about what is missing."""

import numpy as np
import pandas as pd
import pytest

from features.alternative.checks import ReadingOptions
from features.alternative.read_series import read_series
from features.alternative.read_texts import read_text
from features.store.alternative import AlternativeLake
from features.store.lake import Lake
from features.store.store import Store
from serving import PredictionEngine, PredictionRequest
from training import ModelTrainer

OPTIONS = ReadingOptions("test", np.datetime64("2100-01-01", "ns"))


def series_of(name: str, symbol: str, dates: np.ndarray, shift: float = 0.0) -> pd.DataFrame:
    values = 20.0 + np.sin(np.arange(len(dates)) / 9.0) + shift
    known = pd.DatetimeIndex(dates).tz_localize("UTC") + pd.Timedelta(hours=12)
    rows = {"symbol": symbol, "series": name, "period": dates, "value": values, "known_from": known}
    return pd.DataFrame(rows)


@pytest.fixture
def store(tmp_path, universe) -> Store:
    store = Store(tmp_path / "store")
    for bars in universe.values():
        Lake(store).append(bars.first(480))
    return store


def test_answers_use_what_was_known_and_name_the_sources_that_are_missing(store, universe, tiny_config):
    lake, dates = AlternativeLake(store), universe["AAA"].dates[:480]
    frames = [series_of("iv30", symbol, dates) for symbol in ("AAA", "BBB")] + [series_of("RATE", "", dates)]
    lake.append("series", read_series(pd.concat(frames), OPTIONS, "x").rows)
    texts = pd.DataFrame(
        {"published_at": frames[0]["known_from"], "symbol": "AAA", "text": "Profit rose at the company"}
    )
    lake.append("text", read_text(texts, OPTIONS).rows)
    switches = ("features.use_alternative_data=true", "features.use_sentiment=true", "features.max_features=null")
    wanted = "features.technical_indicators=[volatility, options, macro, sentiment]"
    config = tiny_config("data.bars=lake", wanted, *switches)
    result = ModelTrainer(config, store).train_multi_asset_models(
        ["AAA", "BBB", "CCC"], ["volatility"], promote="always"
    )
    assert result.results[0].version
    with PredictionEngine(store, follow=False) as engine:
        names = engine.snapshot.windows["volatility"].recipe.feature_names
        assert {"options_iv30_log", "macro_rate_change_1", "sentiment_news_count_5"} <= set(names)
        ask = [PredictionRequest(symbol) for symbol in ("AAA", "CCC")]
        (full, lacking) = [answer.prediction for answer in engine.predict_batch(ask)]
        assert not [note for note in full.notes if "options_iv30" in note]
        assert [note for note in lacking.notes if "the model reads sentiment_news, options_iv30, which have no" in note]
        assert not engine.refresh()
        late = series_of("iv30", "AAA", dates[-2:-1], shift=9.0)
        lake.append(
            "series", read_series(late.assign(known_from=late["known_from"] + pd.Timedelta(hours=1)), OPTIONS, "x").rows
        )
        assert engine.refresh(), "a revision of the day before is a new state"
        (after, same) = [answer.prediction for answer in engine.predict_batch(ask)]
        assert after.volatility != full.volatility and same.volatility == lacking.volatility

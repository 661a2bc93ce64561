"""What enters or goes wrong in the lake after an engine has started."""

from dataclasses import replace
from pathlib import Path

from served_answers import LAKE_BARS, SYMBOLS

from configs.operation import ServeConfig
from features.store.lake import Lake
from serving.answers import PredictionRequest
from serving.engine import PredictionEngine


def test_a_newest_bar_that_is_off_by_a_factor_is_not_served_and_leaves_the_universe(store, start_engine, bars_of):
    lake, newest = Lake(store), [bars_of(symbol, LAKE_BARS + 1).last(1) for symbol in SYMBOLS]
    for bars in newest[1:]:
        lake.append(bars)
    lake.remove(["AAA"])
    engine = start_engine()
    without = engine.predict_single(PredictionRequest("BBB")).prediction
    prices = {name: 100.0 * getattr(newest[0], name) for name in ("open", "high", "low", "close")}
    lake.append(bars_of("AAA", LAKE_BARS))
    lake.append(replace(newest[0], **prices))
    assert engine.refresh()
    answer, other = engine.predict_batch([PredictionRequest("AAA"), PredictionRequest("BBB")])
    assert answer.error.message.startswith("prices step: ×100 from ") and answer.volatility is None
    assert other.volatility.annualised == without.volatility.annualised
    assert any("AAA: prices step" in problem for problem in engine.health_check()["problems"])
    assert not engine.history("AAA", 50)["close"]
    assert start_engine().predict_single(PredictionRequest("AAA")).error == answer.error  # from the stored windows


def test_a_symbol_that_entered_the_lake_after_training_is_served(store, bars_of):
    with PredictionEngine(store, follow=False) as engine:
        before = engine.predict_single(PredictionRequest("AAA"))
        assert "NEW" not in engine.snapshot.symbols
        Lake(store).append(replace(bars_of("CCC", LAKE_BARS), symbol="NEW"))
        Lake(store).append(replace(bars_of("CCC", 50), symbol="YOUNG"))
        assert engine.refresh()
        assert engine.snapshot.symbols == sorted([*SYMBOLS, "NEW", "YOUNG"])
        new = engine.predict_single(PredictionRequest("NEW"))
        assert (new.error, new.direction.basis, new.volatility.basis) == (None, "pooled", "pooled")
        assert engine.predict_single(PredictionRequest("YOUNG")).error.code == "too_few_bars"
        assert engine.predict_single(PredictionRequest("AAA")).prediction == before.prediction
        assert engine.history("NEW", 50)["volatility"]["annualised"]
        # A damaged file that no model needs must not stop the symbols that are served.
        Lake(store).append(replace(bars_of("CCC", LAKE_BARS), symbol="BAD"))
        (file,) = (path for path in Path(store.root).rglob("*.parquet") if "BAD" in str(path))
        file.write_bytes(file.read_bytes()[:200])
        assert engine.refresh()
        assert engine.predict_single(PredictionRequest("BAD")).error.code == "no_bars"
        assert engine.predict_single(PredictionRequest("NEW")).error is None
        assert engine.health_check()["status"] == "stale"
    with PredictionEngine(store, follow=False, config=ServeConfig(unseen="refuse")) as engine:
        assert engine.snapshot.symbols == sorted(SYMBOLS)
        assert engine.predict_single(PredictionRequest("NEW")).error.code == "unknown_symbol"


def test_stale_bars_are_refused_if_a_maximum_age_is_set(trained_store):
    with PredictionEngine(trained_store, follow=False, config=ServeConfig(max_age_days=30)) as engine:
        answer = engine.predict_single(PredictionRequest("AAA"))
        assert answer.error.code == "stale_bars" and answer.direction is None
        assert answer.as_of is not None
        assert "serve.max_age_days allows 30" in answer.error.message
        assert engine.health_check()["status"] == "stale"
    with PredictionEngine(trained_store, follow=False, config=ServeConfig(max_age_days=36_500)) as engine:
        answer = engine.predict_single(PredictionRequest("AAA")).prediction
        assert answer.error is None and not answer.stale and engine.health_check()["status"] == "ok"

"""A feature that reads the next bar is named; the catalog's features are not; the past that they need is reported."""

import pytest

from features import indicators
from features.catalog import all_specs
from training.validation.look_ahead import bars_needed, check_look_ahead, sampled_cuts

SOURCE = '''
"""The next bar's return, which no one can know."""

import numpy as np

from features.indicators._spec import FeatureSpec

SPEC = FeatureSpec(
    name="peeking",
    group="trend",
    description="the next return, and one that is known",
    columns=lambda layout: ("next_return", "this_return"),
    compute=lambda inputs: [np.append(inputs.returns[1:], 0.0), inputs.returns],
    warmup=lambda layout: 2,
)
'''


@pytest.fixture
def with_peeking(tmp_path, monkeypatch):
    (tmp_path / "peeking.py").write_text(SOURCE)
    monkeypatch.setattr(indicators, "__path__", [*indicators.__path__, str(tmp_path)])
    all_specs.cache_clear()
    yield
    monkeypatch.undo()
    all_specs.cache_clear()


@pytest.fixture(scope="module")
def bars(make_universe):
    return make_universe(("AAA", "BBB", "CCC"), bars=400)


@pytest.fixture(scope="module")
def config(tiny_config):
    return tiny_config("features.technical_indicators=[]", "features.max_features=null")


def test_cuts_are_sampled_after_the_warm_up(bars):
    dates = bars[0].dates
    cuts = sampled_cuts(dates, 100, 0)
    assert len(cuts) in (12, 13) and cuts[0] >= dates[100] and cuts[-1] == dates[-2]
    assert not len(sampled_cuts(dates, 500, 0))


def test_the_catalog_uses_no_later_bar(bars, config):
    found = check_look_ahead(bars, config, None, None, sampled_cuts(bars[0].dates, 100, 0))
    assert not found.leaks and found.compared == 3 * found.cuts * found.columns > 3000


def test_a_feature_that_reads_the_next_bar_is_named(with_peeking, bars, config):
    found = check_look_ahead(bars, config, None, None, sampled_cuts(bars[0].dates, 100, 0))
    (leak,) = found.leaks
    assert (leak.column, leak.symbol, leak.count) == ("next_return", "AAA", 3 * found.cuts)


def test_a_model_that_forecasts_from_the_next_close_is_named(bars, config):
    def peeking(panel, symbol, row):
        close = panel.close[panel.rows(symbol)]
        return close[[row, min(row + 1, len(close) - 1)]]

    found = check_look_ahead(bars, config, None, ["roc_1"], sampled_cuts(bars[0].dates, 100, 0), peeking)
    assert [leak.column for leak in found.leaks] == ["forecast[1]"]


def test_how_many_bars_each_feature_needs(bars, config):
    found = bars_needed(bars, config, None, None, [20, 60, 120, 250])
    assert found["roc_1"] == 20 and found["close"] == 20
    longest = [length for length in found.values() if length is not None]
    assert max(longest) > 60 and all(found[name] is None or found[name] >= 60 for name in found if name.endswith("_60"))

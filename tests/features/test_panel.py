"""A panel has the series of every symbol and can be restricted to some."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from configs.errors import DataError
from configs.models import LabelConfig
from features import build_panel
from features.labels import bar_variance, ewma_volatility


@pytest.fixture(scope="module")
def world(make_bars):
    return [make_bars(n=n, symbol=s) for s, n in (("A", 150), ("B", 90), ("C", 0), ("D", 200))]


def test_a_panel_has_the_series_of_every_symbol(world):
    panel = build_panel(world, label=LabelConfig(ewma_lambda=0.9))
    assert panel.symbols == ("A", "B", "C", "D") and panel.offsets.tolist() == [0, 150, 240, 240, 440]
    assert panel.features.dtype == np.float32 and panel.features.flags.c_contiguous
    for i, bars in enumerate(world):
        part = panel.rows(i)
        np.testing.assert_array_equal(panel.dates[part], bars.dates)
        np.testing.assert_array_equal(panel.close[part], bars.close)
        np.testing.assert_array_equal(panel.variance[part], bar_variance(bars))
        np.testing.assert_array_equal(panel.ewma_vol[part], ewma_volatility(bar_variance(bars), 0.9))
        usable = panel.features[part][panel.warmup :]
        assert np.isfinite(usable).all()


def test_select_returns_the_symbols_in_the_given_order(world):
    panel = build_panel(world)
    part = panel.select(("D", "A"))
    assert part.symbols == ("D", "A") and part.offsets.tolist() == [0, 200, 350]
    np.testing.assert_array_equal(part.features[part.rows(1)], panel.features[panel.rows(0)])
    np.testing.assert_array_equal(part.dates[part.rows(0)], panel.dates[panel.rows(3)])
    assert len(panel.select(()).features) == 0


def test_an_unknown_symbol_is_an_error(world):
    panel = build_panel(world)
    with pytest.raises(DataError, match="panel of 4 symbols has no 'X'"):
        panel.select(("A", "X"))


@pytest.mark.slow
def test_building_needs_the_memory_of_the_panel_and_one_symbol(make_bars):
    bars = [make_bars(n=2000, symbol=f"S{i}") for i in range(30)]
    build_panel(bars[:1])
    tracemalloc.start()
    panel = build_panel(bars)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * panel.features.size * 4

"""Windows share bars without changing what is in them, however they are taken and joined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.models import NetworkConfig
from training.data.windows import Windows
from training.models.fleet import fit
from training.models.fleet.fit import predict_windows
from training.models.fleet.network import FleetNetwork

LENGTH, FEATURES = 4, 3


def gathered(features, ends):
    return features[ends[:, None] + np.arange(1 - LENGTH, 1)]


def contents(windows):
    return windows.gather(windows.bars)


@st.composite
def panels(draw):
    """Return features of several symbols, the ends of some windows within one symbol each, and their symbols."""
    sizes = draw(st.lists(st.integers(LENGTH, 20), min_size=1, max_size=4))
    features = np.arange(sum(sizes) * FEATURES, dtype=np.float32).reshape(-1, FEATURES)
    ends, symbols, start = [], [], 0
    for symbol, size in enumerate(sizes):
        own = draw(st.lists(st.integers(LENGTH - 1, size - 1), max_size=6))
        ends += [start + end for end in own]
        symbols += [symbol] * len(own)
        start += size
    return features, np.array(ends, np.int64), np.array(symbols, np.int64)


def windows_of(features, ends):
    dates = ends.astype("datetime64[ns]")
    return Windows.of(dates, features, ends, ends[:, None].astype(float), 2.0 * ends, LENGTH)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(panels(), st.randoms(use_true_random=False))
def test_windows_hold_the_features_that_end_at_their_rows(panel, random):
    features, ends, symbols = panel
    found = windows_of(features, ends)
    np.testing.assert_array_equal(contents(found), gathered(features, ends))
    needed = {int(end) - back for end in ends for back in range(LENGTH)}
    assert len(found.bars) == len(needed), "no bar that no window needs, and none twice"
    chosen = [random.randrange(len(ends)) for _ in range(5)] if len(ends) else []
    taken = found.take(chosen)
    np.testing.assert_array_equal(contents(taken), gathered(features, ends[np.array(chosen, int)]))
    np.testing.assert_array_equal(taken.series[:, 0], ends[np.array(chosen, int)])
    np.testing.assert_array_equal(taken.bars_per_year, 2.0 * ends[np.array(chosen, int)])
    joined = Windows.concat([taken, found])
    np.testing.assert_array_equal(contents(joined), np.concatenate([contents(taken), contents(found)]))
    assert len(joined) == len(joined.dates) == len(chosen) + len(ends)
    owners = found.owners(symbols)
    np.testing.assert_array_equal(found.gather(owners), np.repeat(symbols[:, None], LENGTH, axis=1))


def test_separate_windows_are_as_given():
    features = np.random.default_rng(0).normal(size=(5, LENGTH, FEATURES)).astype(np.float32)
    found = Windows.separate(np.zeros(5, "datetime64[ns]"), features, np.zeros((5, 0)), np.ones(5))
    np.testing.assert_array_equal(contents(found), features)
    np.testing.assert_array_equal(found.last, features[:, -1])
    assert len(Windows.separate(np.zeros(0, "datetime64[ns]"), features[:0], np.zeros((0, 0)), np.ones(0))) == 0


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(panels())
def test_a_network_of_each_symbol_forecasts_a_mix_of_windows_as_it_does_each_alone(panel):
    features, ends, symbols = panel
    network = FleetNetwork(NetworkConfig(window=LENGTH, lstm_units=(4,), attention_heads=2), FEATURES, 2)
    weights = np.random.default_rng(1).normal(size=(4, network.parameters)).astype(np.float32)
    windows = windows_of(features / len(features), ends)
    found = predict_windows(network, weights, windows.bars, windows.ends, symbols)
    assert found.shape == (len(ends), 2)
    for row, (end, symbol) in enumerate(zip(ends, symbols, strict=True)):
        one = windows_of(features / len(features), np.array([end]))
        alone = predict_windows(network, weights[symbol : symbol + 1], one.bars, one.ends, np.zeros(1, np.int64))
        np.testing.assert_allclose(found[row], alone[0], rtol=1e-4, atol=1e-5)


def test_a_symbol_with_many_windows_does_not_pad_the_others(monkeypatch):
    """All symbols that were not fitted share one row, so one row of a batch may have most of its windows."""
    sizes, real = [], fit.forward_function

    def measured(network):
        def forward(weights, bars, ends):
            sizes.append(bars.size + ends.size)
            return real(network)(weights, bars, ends)

        return forward

    monkeypatch.setattr(fit, "forward_function", measured)
    network = FleetNetwork(NetworkConfig(window=LENGTH, lstm_units=(4,), attention_heads=2), FEATURES, 2)
    symbols = np.concatenate([np.arange(50), np.full(200, 50), np.arange(50)])
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(51, network.parameters)).astype(np.float32)
    features = rng.normal(size=(len(symbols), LENGTH, FEATURES)).astype(np.float32)
    n = len(symbols)
    windows = Windows.separate(np.zeros(n, "datetime64[ns]"), features, np.zeros((n, 0)), np.ones(n))
    found = predict_windows(network, weights, windows.bars, windows.ends, symbols)
    assert sum(sizes) < 4 * (windows.bars.size + len(symbols))
    for row in (0, 49, 50, 180, 249, 250, 299):
        one = windows.take([row])
        own = weights[symbols[row] : symbols[row] + 1]
        alone = predict_windows(network, own, one.bars, one.ends, np.zeros(1, np.int64))
        np.testing.assert_allclose(found[row], alone[0], rtol=1e-4, atol=1e-5)

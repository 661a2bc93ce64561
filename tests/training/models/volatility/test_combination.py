from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.models import VolatilityConfig
from training.models.trust import CORRELATION, independent_rows, trusted_share, with_evidence
from training.models.volatility.combination import BASELINE_SHARE, TRUST_ROWS, Combination
from training.models.volatility.combination import combine as combine_specs
from training.models.volatility.members import catalog, combined

MEMBERS = ("linear", "garch", "lstm", "forest", "boosting")
BASELINES = ("ewma", "garch", "log_har")
some_members = st.lists(st.sampled_from(MEMBERS), min_size=1, unique=True)


def combined_names(members):
    return tuple(spec.name for spec in combined(VolatilityConfig(members=members)))


def combine(members, trust, anchor, forecasts):
    return combine_specs(combined(VolatilityConfig(members=members)), trust, anchor, forecasts)


def simulate(names, n=5000, seed=0):
    """Return an anchor (n,) and the forecasts (n,) of all names, which differ from it by a factor of some 1.2."""
    rng = np.random.default_rng(seed)
    anchor = np.exp(rng.normal(-9, 1, n))
    return anchor, {name: anchor * np.exp(0.2 * rng.normal(size=n)) for name in names}


def forecast(combination, anchor, forecasts):
    table = np.stack(list(forecasts.values()), axis=1)
    return anchor * np.exp(combination.log_correction(combination.corrections(anchor, table)))


def test_the_baselines_follow_the_members_once():
    assert combined_names(MEMBERS) == (*MEMBERS, "ewma", "log_har")
    assert combined_names(("forest",)) == ("forest", "ewma", "garch", "log_har")


@settings(max_examples=50, deadline=None)
@given(some_members, st.floats(0, 1))
def test_members_share_the_trust_and_each_baseline_a_part_of_the_rest(members, trust):
    anchor, forecasts = simulate(combined_names(members), 20)
    weights = dict(zip(forecasts, combine(members, trust, anchor, forecasts).weights[0], strict=True))
    assert all(weights[name] == pytest.approx((1 - trust) * BASELINE_SHARE) for name in BASELINES)
    fitted = [name for name in members if name not in BASELINES]
    assert sum(weights[name] for name in fitted) == pytest.approx(trust if fitted else 0.0)
    for name in fitted:
        assert weights[name] / catalog()[name].share == pytest.approx(weights[fitted[0]] / catalog()[fitted[0]].share)
    assert min(weights.values()) >= 0.0 and sum(weights.values()) <= 1.0 + 1e-12


def test_the_forecast_is_the_anchor_times_the_weighted_corrections():
    anchor, forecasts = simulate(combined_names(("linear", "boosting")))
    found = forecast(combine(("linear", "boosting"), 0.6, anchor, forecasts), anchor, forecasts)
    row = int(np.argmin(sum(np.abs(np.log(f / anchor)) for f in forecasts.values())))  # within all bounds
    logs = {name: np.log(values[row] / anchor[row]) for name, values in forecasts.items()}
    members = 0.6 * (logs["linear"] + 2 * logs["boosting"]) / 3
    expected = members + 0.4 * 0.15 * (logs["ewma"] + logs["garch"] + logs["log_har"])
    assert np.log(found[row] / anchor[row]) == pytest.approx(expected)


def test_a_member_without_a_forecast_leaves_the_anchor():
    anchor, forecasts = simulate(combined_names(MEMBERS))
    combination = combine(MEMBERS, 0.5, anchor, forecasts)
    for nothing in (np.nan, 0.0, np.inf):
        lost = dict.fromkeys(forecasts, np.full(5000, nothing))
        assert np.array_equal(forecast(combination, anchor, lost), anchor)
        found = forecast(combination, anchor, lost | {"lstm": 1.1 * anchor})
        np.testing.assert_allclose(found, anchor * 1.1 ** combination.weights[0, 2])


def test_corrections_are_bounded_by_what_training_rows_showed():
    anchor, forecasts = simulate(combined_names(MEMBERS))
    forecasts["forest"] = 1.5 * anchor  # never below the anchor
    combination = combine(MEMBERS, 0.5, anchor, forecasts)
    wild = np.stack([anchor * 1e6, anchor * 1e-6, anchor], axis=0)
    high, low, none = (combination.corrections(anchor, np.tile(row[:, None], (1, 7))) for row in wild)
    for i, (name, values) in enumerate(forecasts.items()):
        seen = np.quantile(np.log(values / anchor), [0.001, 0.999])
        assert high[0, i] == pytest.approx(max(seen[1], 0.0)), name
        assert low[0, i] == pytest.approx(min(seen[0], 0.0)), name
    assert low[0, MEMBERS.index("forest")] == 0.0 and np.array_equal(none, np.zeros((5000, 7)))


def test_what_has_no_forecast_on_training_rows_may_differ_by_a_factor_of_two():
    anchor, forecasts = simulate(combined_names(MEMBERS))
    forecasts["garch"] = np.full(5000, np.nan)
    combination = combine(MEMBERS, 0.5, anchor, forecasts)
    assert combination.low[0, 1] == -np.log(2) and combination.high[0, 1] == np.log(2)
    holes = np.where(np.arange(5000) % 2, forecasts["lstm"], np.nan)
    other = combine(MEMBERS, 0.5, anchor, forecasts | {"lstm": holes})
    assert other.high[0, 2] == pytest.approx(np.quantile(np.log(holes / anchor)[1::2], 0.999))


@settings(max_examples=50, deadline=None)
@given(some_members, st.floats(0, 1), st.integers(0, 10_000))
def test_no_forecast_leaves_the_range_of_the_bounded_corrections(members, trust, seed):
    anchor, forecasts = simulate(combined_names(members), 100, seed)
    combination = combine(members, trust, anchor, forecasts)
    new_anchor, new = simulate(combined_names(members), 200, seed + 1)
    rng = np.random.default_rng(seed)
    new = {name: values * np.exp(np.clip(3 * rng.standard_t(2, 200), -300.0, 300.0)) for name, values in new.items()}
    new = {name: np.where(rng.random(200) < 0.1, np.nan, values) for name, values in new.items()}
    corrections = combination.corrections(new_anchor, np.stack(list(new.values()), axis=1))
    found = forecast(combination, new_anchor, new)
    low, high = np.minimum(corrections.min(axis=1), 0.0), np.maximum(corrections.max(axis=1), 0.0)
    assert (found >= new_anchor * np.exp(low) * (1 - 1e-12)).all()
    assert (found <= new_anchor * np.exp(high) * (1 + 1e-12)).all()
    assert low.min() >= combination.low.min() and high.max() <= combination.high.max()


def test_a_combination_is_stored_and_read_again():
    anchor, forecasts = simulate(combined_names(MEMBERS))
    one = combine(MEMBERS, 0.5, anchor, forecasts)
    other = Combination.from_arrays(one.to_arrays())
    assert len(other) == 1 and other.trust[0] == 0.5
    assert np.array_equal(forecast(one, anchor, forecasts), forecast(other, anchor, forecasts))


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1e7), st.floats(1, 1e7), st.integers(1, 5000))
def test_trust_grows_from_nothing_to_one_with_independent_rows(rows, more, symbols):
    shares = [trusted_share(count, symbols, TRUST_ROWS) for count in (0.0, rows, rows + more, 1e12)]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == pytest.approx(1.0, abs=1e-3)
    half = TRUST_ROWS * rows / independent_rows(rows, symbols) if rows > 1 else TRUST_ROWS
    assert trusted_share(half, symbols if rows > 1 else 1, TRUST_ROWS) == pytest.approx(0.5)


def test_many_symbols_of_a_market_tell_as_much_as_a_few():
    assert independent_rows(700, 1) == 700
    found = [independent_rows(700 * symbols, symbols) for symbols in (1, 2, 10, 10_000)]
    assert found == sorted(found) and found[-1] == pytest.approx(700 / CORRELATION, rel=1e-3)
    assert independent_rows(700, 0) == 700 and trusted_share(10, 1, TRUST_ROWS) < 0.02


def test_evidence_raises_trust_from_five_standard_errors_on():
    assert with_evidence(0.2, 0.0) == 0.2 and with_evidence(0.2, 5.0) == pytest.approx(0.2)
    assert with_evidence(0.2, 10.0) == pytest.approx(0.8)
    assert 0.99 < with_evidence(0.0, 60.0) < 1.0

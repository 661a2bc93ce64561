"""What every kind of model promises under every strategy: S separate models, causal, stored as plain arrays."""

from dataclasses import replace

import numpy as np
import pytest

from configs.errors import DataError, ModelError
from features.splits import Split, resolve_split
from training.predictors import predictor_class
from training.predictors.input_bars import panel_of
from training.tasks import task_of

SYMBOLS, STRATEGIES = ("AAA", "BBB", "CCC", "DDD"), ("per_symbol", "pooled", "finetuned")
PRICES = ("open", "high", "low", "close")
CASES = [("direction", strategy) for strategy in STRATEGIES] + [
    pytest.param(("volatility", strategy), marks=() if strategy == "pooled" else pytest.mark.slow)
    for strategy in STRATEGIES
]


class Case:
    """A kind and a strategy, fitted on a universe whose symbols have different histories."""

    def __init__(self, kind, strategy, tiny_config, make_universe):
        self.kind, self.strategy, self.config = kind, strategy, tiny_config(f"{kind}.strategy={strategy}")
        lengths = zip(SYMBOLS, (500, 480, 500, 440), strict=True)
        self.bars = [series for symbol, bars in lengths for series in make_universe((symbol,), bars=bars)]
        self.dates = self.bars[0].dates
        self.split = resolve_split(self.dates, self.config.split, getattr(self.config, kind).horizon)
        self.examples = self.make_examples(self.bars)
        self.pooled = self.new().fit_pooled(self.examples)
        self.predictor = self.new().fit_examples(self.examples, self.pooled)

    def new(self):
        return predictor_class(self.kind)(self.config)

    def make_examples(self, bars):
        panel = panel_of(bars, bars, self.config, None, None)
        return task_of(self.kind).examples(panel, self.split, self.config)

    def forecasts(self, predictor, symbols=SYMBOLS):
        return predictor.predict_panel(self.examples.panel.select(symbols))


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request, tiny_config, make_universe):
    return Case(*request.param, tiny_config, make_universe)


def numbers(forecasts):
    """Return all columns of forecasts except their basis."""
    return forecasts.drop(columns="basis").to_numpy(np.float64)


def disturbed(bars, after, seed=0):
    """Return bars with other prices and volumes from this date on."""
    rng = np.random.default_rng(seed)
    out = []
    for series in bars:
        later = series.dates >= after
        factor = np.where(later, np.exp(np.cumsum(0.05 * rng.normal(size=len(series)) * later)), 1.0)
        wider = np.where(later, 1.02, 1.0)
        out.append(
            replace(
                series,
                open=series.open * factor,
                close=series.close * factor,
                high=series.high * factor * wider,
                low=series.low * factor / wider,
                volume=np.where(later, 3.0, 1.0) * series.volume,
            )
        )
    return out


def arrays_of(predictor, symbol):
    """Return the state of one symbol's own model."""
    return type(predictor).from_state(predictor.symbols, predictor.to_arrays(), predictor.meta(), (symbol,)).to_arrays()


def test_a_symbols_model_does_not_depend_on_its_block(case):
    """Two symbols alone and in reverse have other neighbours, other positions and less padding (480 bars, not 500)."""
    pair = ("DDD", "BBB")
    alone = case.new().fit_examples(case.examples.select(pair), case.pooled)
    for symbol in pair:
        ours, theirs = arrays_of(case.predictor, symbol), arrays_of(alone, symbol)
        assert ours.keys() == theirs.keys()
        for name in ours:
            if "forest" not in name or case.strategy != "per_symbol":  # trees are padded to the largest of their block
                np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(
            numbers(case.forecasts(case.predictor, (symbol,))),
            numbers(case.forecasts(alone, (symbol,))),
            rtol=1e-4,
            atol=1e-9,
        )


def test_the_same_fit_twice_is_byte_equal(case):
    pooled = case.new().fit_pooled(case.examples)
    again = case.new().fit_examples(case.examples, pooled)
    for before, after in ((case.pooled, pooled), (case.predictor.to_arrays(), again.to_arrays())):
        assert before.keys() == after.keys()
        assert [name for name in before if before[name].tobytes() != after[name].tobytes()] == []


def test_symbols_without_enough_to_fit_are_named_with_the_reason(case):
    first, second, third, fourth = case.bars
    flat = replace(second, **{name: np.full(len(second), 7.0) for name in PRICES})
    young = replace(third, **{name: getattr(third, name)[-30:] for name in ("dates", *PRICES, "volume")})
    with pytest.warns(UserWarning, match="BBB: the price is constant in all bars"):
        predictor = case.new().fit([first, flat, young, fourth], split=case.split)
    assert predictor.symbols == ("AAA", "DDD")
    assert set(predictor.failures) == {"BBB", "CCC"}
    assert "0 training windows; at least 60 are needed" in predictor.failures["CCC"]


@pytest.mark.parametrize("case", [("direction", "per_symbol"), ("direction", "finetuned")], indirect=True, ids="-".join)
def test_a_network_that_diverges_is_reported_and_leaves_the_other_symbols_unaffected(case):
    unscaled = case.config.features.model_copy(update={"scaling_method": "none"})
    config = case.config.model_copy(update={"features": unscaled})
    features = case.examples.panel.features.copy()
    features[case.examples.panel.rows(1)] = np.inf
    broken = replace(case.examples, panel=replace(case.examples.panel, features=features))
    predictor = type(case.predictor)(config).fit_examples(broken, case.pooled)
    assert predictor.symbols == ("AAA", "CCC", "DDD")
    assert "never finite" in predictor.failures["BBB"]
    alone = type(case.predictor)(config).fit_examples(case.examples.select(predictor.symbols), case.pooled)
    for name, values in alone.to_arrays().items():
        np.testing.assert_allclose(predictor.to_arrays()[name], values, rtol=1e-5, atol=1e-5, err_msg=name)


def test_nothing_fitted_depends_on_the_test_period(case):
    other = case.make_examples(disturbed(case.bars, case.split.test_start))
    pooled = case.new().fit_pooled(other)
    again = case.new().fit_examples(other, pooled)
    for before, after in ((case.pooled, pooled), (case.predictor.to_arrays(), again.to_arrays())):
        assert [name for name in before if before[name].tobytes() != after[name].tobytes()] == []


def test_a_forecast_does_not_depend_on_what_comes_after_it(case):
    t = case.dates[430]
    original = case.predictor.predict(case.bars)
    other = case.predictor.predict(disturbed(case.bars, t + np.timedelta64(1, "D")))
    known = original.index.get_level_values("date") <= t
    assert known.any() and not known.all()
    np.testing.assert_allclose(numbers(original[known]), numbers(other[known]), rtol=1e-5, atol=1e-12)
    assert not np.allclose(numbers(original[~known]), numbers(other[~known]), rtol=1e-5)


def test_a_subset_of_the_symbols_forecasts_as_the_full_model_does(case):
    arrays, meta = case.predictor.to_arrays(), case.predictor.meta()
    subset = type(case.predictor).from_state(SYMBOLS, arrays, meta, ("DDD", "BBB"))
    assert subset.symbols == ("DDD", "BBB")
    ours, theirs = case.forecasts(case.predictor, ("BBB",)), case.forecasts(subset, ("BBB",))
    assert ours.index.equals(theirs.index)
    np.testing.assert_allclose(numbers(ours), numbers(theirs), rtol=1e-5, atol=1e-12)


def test_forecasts_have_the_properties_of_their_names(case):
    found = case.forecasts(case.predictor)
    assert found.index.names == ["symbol", "date"] and found.index.is_unique
    assert found.index.get_level_values("symbol").unique().tolist() == list(SYMBOLS)
    assert np.isfinite(numbers(found)).all() and (found["basis"] == "own").all()
    if case.kind == "direction":
        chance = found[["down", "sideways", "up"]].to_numpy()
        assert (chance > 0).all()
        np.testing.assert_allclose(chance.sum(axis=1), 1.0, atol=1e-9)
        assert found[["in_set_down", "in_set_sideways", "in_set_up"]].any(axis=1).all()
    else:
        for name in ("variance", "volatility"):
            low, middle, high = found[f"{name}_low"], found[name], found[f"{name}_high"]
            assert ((low > 0) & (low < middle) & (middle < high)).all()
        np.testing.assert_allclose(found["volatility"], np.sqrt(found["bars_per_year"] * found["variance"]))


def test_a_symbol_that_was_not_fitted_is_forecast_by_what_all_symbols_share(case):
    state, panel = (case.predictor.to_arrays(), case.predictor.meta()), case.examples.panel
    subset = type(case.predictor).from_state(SYMBOLS, *state, ("AAA", "BBB"))
    assert subset.forecasts_unseen == (case.strategy != "per_symbol" or case.kind == "volatility")
    if not subset.forecasts_unseen:
        with pytest.raises(ModelError, match="there is no model for 'CCC'"):
            subset.predict_panel(panel)
        return
    found = subset.predict_panel(panel)
    assert found["basis"].groupby("symbol").first().tolist() == ["own", "own", "pooled", "pooled"]
    own = case.forecasts(case.predictor, ("AAA",))
    np.testing.assert_allclose(numbers(found.loc[["AAA"]]), numbers(own), rtol=1e-5)
    unseen = numbers(found.loc[["CCC"]])
    assert np.isfinite(unseen).all()
    # It depends neither on the symbols that are loaded nor on the name.
    other = type(case.predictor).from_state(SYMBOLS, *state, ("DDD",))
    np.testing.assert_allclose(unseen, numbers(other.predict_panel(panel.select(("CCC",)))), rtol=1e-5)
    renamed = replace(panel.select(("CCC",)), symbols=("ZZZ",))
    np.testing.assert_allclose(unseen, numbers(subset.predict_panel(renamed)), rtol=1e-5)


def test_losses_of_rows_are_those_of_the_forecasts(case):
    loss, symbol = case.predictor.row_losses(case.examples, "test")
    forecasts, panel, expected = case.forecasts(case.predictor), case.examples.panel, []
    for i, name in enumerate(SYMBOLS):
        rows = panel.rows(i)
        test = case.examples.rows[i].test
        target = case.examples.targets[rows][test]
        found = forecasts.loc[name].loc[panel.dates[rows][test]]
        if case.kind == "direction":
            chance = found[["down", "sideways", "up"]].to_numpy()
            expected.append(-np.log(chance[np.arange(len(test)), target.astype(int)]))
        else:
            ratio = target / found["variance"].to_numpy()
            expected.append(ratio - np.log(ratio) - 1.0)
    assert np.bincount(symbol).tolist() == [len(part) for part in expected] and min(map(len, expected)) > 20
    np.testing.assert_allclose(loss, np.concatenate(expected), rtol=1e-5, atol=1e-7)


def test_every_error_is_one_line_that_names_the_symbol(case):
    arrays, meta = case.predictor.to_arrays(), case.predictor.meta()
    with pytest.raises(ModelError, match=r"'ZZZ' is not in this model; it has AAA, BBB, CCC, DDD\. Train it first\."):
        type(case.predictor).from_state(SYMBOLS, arrays, meta, ("AAA", "ZZZ"))
    with pytest.raises(ModelError, match="not fitted"):
        case.new().predict(case.bars)
    if not case.predictor.forecasts_unseen:
        subset = type(case.predictor).from_state(SYMBOLS, arrays, meta, ("AAA",))
        with pytest.raises(ModelError, match="there is no model for BBB"):
            subset.predict(case.bars[1:2])
    with pytest.raises(DataError, match="no symbol can be fitted"):
        short = [replace(b, **{f: getattr(b, f)[-150:] for f in ("dates", *PRICES, "volume")}) for b in case.bars]
        case.new().fit(short, split=Split(*[short[0].dates[i] for i in (100, 101, 120, 121, 149)], purge=1))


def test_windows_without_their_panel_give_the_same_forecasts_in_any_mix(case):
    panel = case.examples.panel
    last = np.diff(panel.offsets) - 1
    rows = [last[:1] - [20, 0], last[1:2], last[2:3] - [200, 50, 0], last[3:]]
    expected = case.predictor.forecast(panel, rows)
    windows = case.predictor.windows(panel, rows)
    symbols = np.repeat(np.arange(4), [2, 1, 3, 1])
    mix = np.random.default_rng(0).permutation(np.repeat(np.arange(7), 3))
    for chosen in (np.arange(7), mix, np.array([5])):
        found = case.predictor.forecast_windows(windows.take(chosen), symbols[chosen])
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values[chosen], rtol=1e-5, atol=1e-7, err_msg=name)
    joined = type(windows).concat([windows.take([0, 1, 2]), windows.take([3, 4, 5, 6])])
    again = case.predictor.forecast_windows(joined, symbols)
    for name, values in case.predictor.forecast_windows(windows, symbols).items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)
    nothing = case.predictor.forecast_windows(windows.take([]), symbols[:0])
    assert all(len(values) == 0 for values in nothing.values())

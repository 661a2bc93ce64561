"""What every kind of model promises under every strategy: S separate models, causal, kept as plain arrays."""

from dataclasses import replace

import numpy as np
import pytest

from configs.errors import DataError, ModelError
from features.splits import Split, resolve_split
from training.predictors.input_bars import panel_of
from training.tasks import task_of

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
PRICES = ("open", "high", "low", "close")
STRATEGIES = ("per_symbol", "pooled", "finetuned")
EVERY = pytest.mark.parametrize(
    ("kind", "strategy"), [(kind, strategy) for kind in ("direction", "volatility") for strategy in STRATEGIES]
)


class Case:
    """A kind and a strategy, fitted on a universe whose symbols have different histories."""

    def __init__(self, kind, strategy, tiny_config, make_universe):
        self.kind, self.config = kind, tiny_config(f"{kind}.strategy={strategy}")
        self.bars = [*make_universe(SYMBOLS[:3]), *make_universe(SYMBOLS[3:], bars=440)]
        self.dates = self.bars[0].dates
        self.split = resolve_split(self.dates, self.config.split, getattr(self.config, kind).horizon)
        self.examples = self.make_examples(self.bars)
        self.pooled = self.new().fit_pooled(self.examples)
        self.predictor = self.new().fit_examples(self.examples, self.pooled)

    def new(self):
        return task_of(self.kind).predictor(self.config)

    def make_examples(self, bars):
        panel = panel_of(bars, bars, self.config, None, None)
        return task_of(self.kind).examples(panel, self.split, self.config)

    def forecasts(self, predictor, symbols=SYMBOLS):
        panel = self.examples.panel.select(symbols)
        return predictor.predict_panel(panel)


@pytest.fixture(scope="module")
def case(tiny_config, make_universe):
    """Return the maker of cases; each is fitted once for the whole file."""
    made = {}

    def make(kind, strategy):
        if (kind, strategy) not in made:
            made[kind, strategy] = Case(kind, strategy, tiny_config, make_universe)
        return made[kind, strategy]

    return make


def numbers(found):
    """Return all columns of forecasts but their basis."""
    return found.drop(columns="basis").to_numpy(np.float64)


def disturbed(bars, after, seed=0):
    """Return bars that are different ones from this date on."""
    rng = np.random.default_rng(seed)
    out = []
    for one in bars:
        later = one.dates >= after
        factor = np.where(later, np.exp(np.cumsum(0.05 * rng.normal(size=len(one)) * later)), 1.0)
        wider = np.where(later, 1.02, 1.0)
        out.append(
            replace(
                one,
                open=one.open * factor,
                close=one.close * factor,
                high=one.high * factor * wider,
                low=one.low * factor / wider,
                volume=np.where(later, 3.0, 1.0) * one.volume,
            )
        )
    return out


def arrays_of(predictor, symbol):
    """Return the state of one symbol's own model."""
    return type(predictor).from_state(predictor.symbols, predictor.to_arrays(), predictor.meta(), (symbol,)).to_arrays()


@EVERY
def test_a_symbols_model_does_not_depend_on_its_block(case, kind, strategy):
    together = case(kind, strategy)
    for symbol in SYMBOLS:
        alone = together.new().fit_examples(together.examples.select((symbol,)), together.pooled)
        ours, theirs = arrays_of(together.predictor, symbol), alone.to_arrays()
        assert ours.keys() == theirs.keys()
        for name in ours:
            if "forest" not in name or strategy != "per_symbol":  # trees are padded to the largest of their block
                np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(
            numbers(together.forecasts(together.predictor, (symbol,))),
            numbers(together.forecasts(alone, (symbol,))),
            rtol=1e-4,
            atol=1e-9,
        )


@EVERY
def test_the_same_fit_twice_is_byte_equal(case, kind, strategy):
    first = case(kind, strategy)
    pooled = first.new().fit_pooled(first.examples)
    again = first.new().fit_examples(first.examples, pooled)
    for before, after in ((first.pooled, pooled), (first.predictor.to_arrays(), again.to_arrays())):
        assert before.keys() == after.keys()
        assert [name for name in before if before[name].tobytes() != after[name].tobytes()] == []


@EVERY
def test_symbols_without_enough_to_fit_are_named_with_the_reason(case, kind, strategy):
    one = case(kind, strategy)
    flat = replace(one.bars[1], **{name: np.full(500, 7.0) for name in PRICES})
    young = replace(one.bars[2], **{name: getattr(one.bars[2], name)[-30:] for name in ("dates", *PRICES, "volume")})
    predictor = one.new().fit([one.bars[0], flat, young, one.bars[3]], split=one.split)
    assert predictor.symbols == ("AAA", "DDD")
    assert set(predictor.failures) == {"BBB", "CCC"}
    assert "0 training windows; at least 60 are needed" in predictor.failures["CCC"]


@pytest.mark.parametrize("strategy", ["per_symbol", "finetuned"])
def test_a_network_that_diverges_is_reported_and_leaves_the_others_alone(case, strategy):
    one = case("direction", strategy)
    unscaled = one.config.features.model_copy(update={"scaling_method": "none"})
    config = one.config.model_copy(update={"features": unscaled})
    features = one.examples.panel.features.copy()
    features[one.examples.panel.rows(1)] = np.inf
    broken = replace(one.examples, panel=replace(one.examples.panel, features=features))
    predictor = type(one.predictor)(config).fit_examples(broken, one.pooled)
    assert predictor.symbols == ("AAA", "CCC", "DDD")
    assert "never finite" in predictor.failures["BBB"]
    alone = type(one.predictor)(config).fit_examples(one.examples.select(predictor.symbols), one.pooled)
    for name, values in alone.to_arrays().items():
        np.testing.assert_allclose(predictor.to_arrays()[name], values, rtol=1e-5, atol=1e-5, err_msg=name)


@EVERY
def test_nothing_fitted_depends_on_the_test_period(case, kind, strategy):
    honest = case(kind, strategy)
    other = honest.make_examples(disturbed(honest.bars, honest.split.test_start))
    pooled = honest.new().fit_pooled(other)
    again = honest.new().fit_examples(other, pooled)
    for before, after in ((honest.pooled, pooled), (honest.predictor.to_arrays(), again.to_arrays())):
        assert [name for name in before if before[name].tobytes() != after[name].tobytes()] == []


@EVERY
def test_a_forecast_does_not_depend_on_what_comes_after_it(case, kind, strategy):
    honest = case(kind, strategy)
    t = honest.dates[430]
    told = honest.predictor.predict(honest.bars)
    untold = honest.predictor.predict(disturbed(honest.bars, t + np.timedelta64(1, "D")))
    known = told.index.get_level_values("date") <= t
    assert known.any() and not known.all()
    np.testing.assert_allclose(numbers(told[known]), numbers(untold[known]), rtol=1e-5, atol=1e-12)
    assert not np.allclose(numbers(told[~known]), numbers(untold[~known]), rtol=1e-5)


@EVERY
def test_some_of_the_symbols_forecast_as_all_do(case, kind, strategy):
    every = case(kind, strategy)
    arrays, meta = every.predictor.to_arrays(), every.predictor.meta()
    some = type(every.predictor).from_state(SYMBOLS, arrays, meta, ("DDD", "BBB"))
    assert some.symbols == ("DDD", "BBB")
    ours, theirs = every.forecasts(every.predictor, ("BBB",)), every.forecasts(some, ("BBB",))
    assert ours.index.equals(theirs.index)
    np.testing.assert_allclose(numbers(ours), numbers(theirs), rtol=1e-5, atol=1e-12)


@EVERY
def test_forecasts_are_what_they_are_called(case, kind, strategy):
    one = case(kind, strategy)
    found = one.forecasts(one.predictor)
    assert found.index.names == ["symbol", "date"]
    assert found.index.is_unique
    assert found.index.get_level_values("symbol").unique().tolist() == list(SYMBOLS)
    assert np.isfinite(numbers(found)).all()
    assert (found["basis"] == "own").all()
    if kind == "direction":
        chance = found[["down", "sideways", "up"]].to_numpy()
        assert (chance > 0).all()
        np.testing.assert_allclose(chance.sum(axis=1), 1.0, atol=1e-9)
        assert found[["in_set_down", "in_set_sideways", "in_set_up"]].any(axis=1).all()
    else:
        for name in ("variance", "volatility"):
            low, middle, high = found[f"{name}_low"], found[name], found[f"{name}_high"]
            assert ((low > 0) & (low < middle) & (middle < high)).all()
        np.testing.assert_allclose(found["volatility"], np.sqrt(252 * found["variance"]))


@EVERY
def test_a_symbol_that_was_not_fitted_is_forecast_by_what_the_others_share(case, kind, strategy):
    one = case(kind, strategy)
    state = one.predictor.to_arrays(), one.predictor.meta()
    some = type(one.predictor).from_state(SYMBOLS, *state, ("AAA", "BBB"))
    other = type(one.predictor).from_state(SYMBOLS, *state, ("DDD",))
    assert some.forecasts_unseen == (strategy != "per_symbol" or kind == "volatility")
    if not some.forecasts_unseen:
        return
    panel = one.examples.panel
    found = some.predict_panel(panel)
    assert found["basis"].groupby("symbol").first().tolist() == ["own", "own", "pooled", "pooled"]
    np.testing.assert_allclose(numbers(found.loc[["AAA"]]), numbers(one.forecasts(one.predictor, ("AAA",))), rtol=1e-5)
    unseen = numbers(found.loc[["CCC"]])
    assert np.isfinite(unseen).all()
    # It depends on neither which symbols are held nor the name.
    np.testing.assert_allclose(unseen, numbers(other.predict_panel(panel.select(("CCC",)))), rtol=1e-5)
    renamed = replace(panel.select(("CCC",)), symbols=("ZZZ",))
    np.testing.assert_allclose(unseen, numbers(some.predict_panel(renamed)), rtol=1e-5)


@EVERY
def test_losses_of_rows_are_those_of_the_forecasts(case, kind, strategy):
    one = case(kind, strategy)
    loss, symbol = one.predictor.row_losses(one.examples, "test")
    assert np.isfinite(loss).all()
    assert np.bincount(symbol).tolist() == [len(rows.test) for rows in one.examples.rows]


@EVERY
def test_mistakes_are_told_in_a_line(case, kind, strategy):
    one = case(kind, strategy)
    arrays, meta = one.predictor.to_arrays(), one.predictor.meta()
    with pytest.raises(ModelError, match=r"'ZZZ' is not in this model; it holds AAA, BBB, CCC, DDD\. Train it first\."):
        type(one.predictor).from_state(SYMBOLS, arrays, meta, ("AAA", "ZZZ"))
    with pytest.raises(ModelError, match="not fitted"):
        one.new().predict(one.bars)
    if not one.predictor.forecasts_unseen:
        some = type(one.predictor).from_state(SYMBOLS, arrays, meta, ("AAA",))
        with pytest.raises(ModelError, match="there is no model for BBB"):
            some.predict(one.bars[1:2])
        with pytest.raises(ModelError, match="there is no model for 'BBB'"):
            some.predict_panel(one.examples.panel.select(("BBB",)))
    with pytest.raises(DataError, match="no symbol can be fitted"):
        short = [replace(b, **{f: getattr(b, f)[-150:] for f in ("dates", *PRICES, "volume")}) for b in one.bars]
        one.new().fit(short, split=Split(*[short[0].dates[i] for i in (100, 101, 120, 121, 149)], purge=1))


@EVERY
def test_windows_without_their_panel_give_the_same_forecasts_in_any_mix(case, kind, strategy):
    one = case(kind, strategy)
    panel = one.examples.panel
    last = np.diff(panel.offsets) - 1
    rows = [last[:1] - [20, 0], last[1:2], last[2:3] - [200, 50, 0], last[3:]]
    whole = one.predictor.forecast(panel, rows)
    windows = one.predictor.windows(panel, rows)
    symbols = np.repeat(np.arange(4), [2, 1, 3, 1])
    mix = np.random.default_rng(0).permutation(np.repeat(np.arange(7), 3))
    for chosen in (np.arange(7), mix, np.array([5])):
        found = one.predictor.forecast_windows(windows.take(chosen), symbols[chosen])
        assert found.keys() == whole.keys()
        for name, values in whole.items():
            np.testing.assert_allclose(found[name], values[chosen], rtol=1e-5, atol=1e-7, err_msg=name)
    joined = type(windows).concat([windows.take([0, 1, 2]), windows.take([3, 4, 5, 6])])
    again = one.predictor.forecast_windows(joined, symbols)
    np.testing.assert_array_equal(
        again[next(iter(whole))], one.predictor.forecast_windows(windows, symbols)[next(iter(whole))]
    )
    nothing = one.predictor.forecast_windows(windows.take([]), symbols[:0])
    assert all(len(values) == 0 for values in nothing.values())

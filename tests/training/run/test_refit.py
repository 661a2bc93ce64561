"""The published models are fitted again on all rows; what is reported of them is of the fit that was tested."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from configs.errors import ModelError
from features.bars.quarantine import Quarantine
from features.store.store import Store
from training import PriceDirectionPredictor, VolatilityPredictor
from training.registry.blocks import read_block
from training.run.run_plan import make_plan, write_plan
from training.run.worker import run_job

pytestmark = pytest.mark.slow

NAMES = ("AAA", "BBB", "CCC")
KINDS = {"direction": PriceDirectionPredictor, "volatility": VolatilityPredictor}


class Bars:
    """A source of bars in memory."""

    name = "memory"
    read_as = MappingProxyType({})

    def __init__(self, bars):
        self.bars, self.missing, self.quarantine = list(bars), dict[str, str](), Quarantine.empty()

    def load(self, symbols=(), start=None, end=None):
        yield from self.bars


@pytest.fixture
def blocks_of(tiny_config, tmp_path):
    """Return each kind's blocks of a run with these bars and settings."""

    def run(bars, *overrides):
        store = Store(str(tmp_path / "store"))
        plan = make_plan(Bars(bars), tiny_config("run.block_symbols=8", *overrides), store, None)
        write_plan(store, plan)
        for job in plan.jobs:
            run_job(store.uri, plan.name, job)
        return {kind: [read_block(store, job.output) for job in plan.blocks(kind)] for kind in KINDS}

    return run


@pytest.mark.parametrize("strategy", ["pooled", pytest.param("finetuned", marks=pytest.mark.slow), "per_symbol"])
def test_the_test_judges_the_same_fit_with_and_without_a_refit(blocks_of, make_universe, strategy):
    bars, settings = make_universe(NAMES), [f"{kind}.strategy={strategy}" for kind in KINDS]
    without, refitted = blocks_of(bars, "run.refit=false", *settings), blocks_of(bars, *settings)
    for kind in KINDS:
        (ours,), (theirs,) = refitted[kind], without[kind]
        assert ours.test.equals(theirs.test)
        assert ours.metrics["per_symbol"] == theirs.metrics["per_symbol"]
        assert ours.metrics["newest"] != theirs.metrics["newest"], "published are the forecasts of the second fit"
        last = str(bars[0].dates[-1].astype("datetime64[s]"))
        assert ours.meta["calibrated_to"] == last > theirs.meta["calibrated_to"]
        assert ours.meta["trained_to"] >= theirs.meta["calibrated_to"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_refit_repeats_the_choices_and_sees_the_newest_bars_only_in_its_own_fit(tiny_config, make_universe, kind):
    bars = make_universe(NAMES, bars=560)
    tested = KINDS[kind](tiny_config()).fit([one.first(500) for one in bars])
    before = tested.to_arrays()
    again = tested.refit([one.first(500) for one in bars])
    after = tested.to_arrays()
    assert all(np.array_equal(before[name], after[name], equal_nan=True) for name in before), "the tested fit stays"
    assert again.symbols == tested.symbols and again.feature_names == tested.feature_names
    known = again.predict(bars)["in_sample"]
    dates = known.index.get_level_values("date")
    np.testing.assert_array_equal(known, dates < bars[0].dates[499])
    assert tested.trained_to < tested.calibrated_to <= again.trained_to < again.calibrated_to


def test_epochs_ridge_and_features_are_those_of_the_tested_fit(tiny_config, make_universe):
    bars = make_universe(NAMES)
    tested = PriceDirectionPredictor(tiny_config("direction.strategy=per_symbol")).fit(bars)
    again = tested.refit(bars)
    np.testing.assert_array_equal(again._epochs, tested._epochs)
    np.testing.assert_array_equal(again._logistic.ridge, tested._logistic.ridge)
    np.testing.assert_array_equal(again._design.columns, tested._design.columns)
    np.testing.assert_array_equal(again._shares, tested._shares)
    with pytest.warns(UserWarning, match="cross-asset features count as missing"):
        some = tested.refit(bars[1:])
    assert some.symbols == NAMES[1:], "choices are those of the symbols, not of their places"
    np.testing.assert_array_equal(some._epochs, tested._epochs[1:])
    np.testing.assert_array_equal(some._logistic.ridge, tested._logistic.ridge[1:])
    assert not np.array_equal(again._logistic.weight, tested._logistic.weight)


def test_a_symbol_that_ended_before_the_test_is_refitted_on_its_own_newest_rows(blocks_of, make_universe):
    *alive, dead = make_universe(NAMES)
    blocks = blocks_of([*alive, dead.first(400)])
    for kind in KINDS:
        assert {symbol for block in blocks[kind] for symbol in block.symbols} == set(NAMES)
        assert all(block.metrics["failed"] == {} for block in blocks[kind])
        (tested,) = (block.test for block in blocks[kind] if block.test is not None)
        assert set(tested["symbol"].to_pylist()) == {"AAA", "BBB"}


def test_the_share_of_the_pooled_network_is_repeated(tiny_config, make_universe):
    bars = make_universe(NAMES)
    tested = PriceDirectionPredictor(tiny_config("direction.fit.pooled_epochs=8")).fit(bars)
    again = tested.refit(bars)
    assert again._fitted_pool["share"] == tested._fitted_pool["share"]
    assert again._fitted_pool["epochs"] == tested._fitted_pool["epochs"]


def test_own_networks_of_volatility_repeat_the_epochs_of_their_symbol(tiny_config, make_universe):
    bars = make_universe(NAMES)
    tested = VolatilityPredictor(tiny_config("volatility.strategy=per_symbol")).fit(bars)
    epochs = dict(zip(tested.symbols, tested._ensemble.members["lstm"].epochs, strict=False))
    with pytest.warns(UserWarning, match="cross-asset features count as missing"):
        some = tested.refit(bars[1:])
    assert dict(zip(some.symbols, some._ensemble.members["lstm"].epochs, strict=False)) == {
        name: epochs[name] for name in NAMES[1:]
    }


def test_a_symbol_that_was_suspended_lately_is_refitted_on_its_newest_rows_with_movement(blocks_of, make_universe):
    *alive, halted = make_universe(NAMES)
    fields = ("open", "high", "low", "close")
    flat = {name: np.where(np.arange(500) < 396, getattr(halted, name), halted.close[395]) for name in fields}
    blocks = blocks_of([*alive, replace(halted, **flat)])
    for kind in KINDS:
        assert {symbol for block in blocks[kind] for symbol in block.symbols} == set(NAMES)
        assert all(block.metrics["failed"] == {} for block in blocks[kind])


def test_a_symbol_that_only_the_refit_cannot_fit_is_reported_and_left_out(blocks_of, make_universe):
    """Prices that leave the numbers in the test period: the test's fit never saw them."""
    *good, odd = make_universe(NAMES)
    broken = odd.close.copy()
    broken[440:] *= np.exp(np.cumsum(np.tile([40.0, -40.0], 30)))
    odd = replace(odd, **{name: broken for name in ("open", "high", "low", "close")})
    blocks = blocks_of([*good, odd])
    for kind in KINDS:
        (block,) = blocks[kind]
        assert set(block.metrics["per_symbol"]) == set(block.symbols) >= {"AAA", "BBB"}
        assert all(np.isfinite(values).all() for name, values in block.arrays.items() if name.startswith("weights"))


def test_only_a_fit_of_this_process_can_be_repeated(tiny_config, make_universe):
    bars = make_universe(NAMES)
    fitted = VolatilityPredictor(tiny_config()).fit(bars)
    loaded = type(fitted).from_state(fitted.symbols, fitted.to_arrays(), fitted.meta())
    with pytest.raises(ModelError, match=r"was loaded. Call fit\(bars\) first"):
        loaded.refit(bars)
    for one in (loaded, fitted.refit(bars)):
        with pytest.raises(ModelError, match="was loaded or refitted, and has no validation rows that it has not seen"):
            one.get_feature_importance()
    with pytest.raises(ModelError, match="not fitted"):
        VolatilityPredictor(tiny_config()).refit(bars)

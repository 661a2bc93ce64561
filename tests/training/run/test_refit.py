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
    assert not np.array_equal(again._logistic.weight, tested._logistic.weight)


def test_a_symbol_that_ended_before_the_test_is_refitted_on_its_own_newest_rows(blocks_of, make_universe):
    *alive, dead = make_universe(NAMES)
    blocks = blocks_of([*alive, dead.first(400)])
    for kind in KINDS:
        assert {symbol for block in blocks[kind] for symbol in block.symbols} == set(NAMES)
        assert all(block.metrics["failed"] == {} for block in blocks[kind])
        (tested,) = (block.test for block in blocks[kind] if block.test is not None)
        assert set(tested["symbol"].to_pylist()) == {"AAA", "BBB"}


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

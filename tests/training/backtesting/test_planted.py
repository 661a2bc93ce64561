"""Forecasts made by hand: a planted edge is found with its Sharpe ratio, and no edge is called luck."""

import importlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from training.backtest import Backtest
from training.backtesting.statements import added, unchanged

pytestmark = pytest.mark.slow

YEAR = 260.0


@pytest.fixture
def edge(simulated_market):
    return simulated_market.true_sharpe


@pytest.mark.parametrize(("seed", "right"), [(0, 0.60), (1, 0.54), (2, 0.60)])
def test_a_planted_edge_is_found_with_its_sharpe_ratio(one_symbol, settings, edge, tmp_path, seed, right):
    found = Backtest(settings("backtest.capitals=[1e6]"), tmp_path / "store").run(one_symbol(seed, right))
    error = float(found.intervals.loc["sharpe", "se"])
    assert abs(found.sharpe_ratio - edge(right)) < 2 * error < 1.4
    low, high = found.intervals.loc["sharpe", ["low", "high"]]
    assert low < found.sharpe_ratio < high and found.bars_per_year == YEAR
    assert "after 1 trial the Sharpe" in found.sentence
    assert "unlikely to be luck" in found.sentence or right < 0.6


def test_an_edge_is_lost_at_other_times_and_survives_noise_and_other_settings(one_symbol, settings, edge, tmp_path):
    ask = settings("backtest.simulations=9", "backtest.capitals=[1e6]")
    found = Backtest(ask, tmp_path / "store").run(one_symbol(0, 0.65, bars=600)).simulated
    assert found.timing_p_value == pytest.approx(1 / 10) and found.timing["95%"] < edge(0.65) / 2
    for one in (found.noise, found.perturbed):
        assert one["sharpe"]["5%"] > edge(0.65) / 2 and one["total_return"]["below_zero"] == 0.0
    assert found.drawdowns["5%"] < found.drawdowns["95%"] < 0 and not found.missing


def test_what_the_model_added_is_the_difference_from_the_class_prior(one_symbol, settings, tmp_path):
    found = Backtest(settings("strategy.name=direction", "strategy.filter.cost_bps=0"), tmp_path / "store")
    found = found.run(one_symbol(0, 0.60))
    prior = next(one for one in found.compared if one.name == "strategy_prior")
    assert prior.is_model_free and not prior.simulation.held.any(), "the prior promises nothing"
    returns = found.returns.to_numpy()
    assert prior.of_return.value == pytest.approx(returns.mean() * YEAR)
    assert prior.of_return.se == pytest.approx(returns.std(ddof=1) / np.sqrt(len(returns)) * YEAR)
    assert prior.of_return.value > 2 * prior.of_return.se
    (sentence,) = added(found)
    gain = f"{prior.of_return.value:+.1%}".removesuffix("%")
    assert sentence.startswith(f"compared with the class prior, the model added {gain} ± ")
    assert sentence.endswith(" % a year: more than chance explains")
    same = replace(found, compared=(replace(prior, simulation=found.simulation),))
    assert list(added(same)) == [
        "with the class prior in place of the model every position is the same, so the model added nothing"
    ]


def test_one_symbol_has_no_rank_which_no_limit_decided(one_symbol, settings, tmp_path):
    cheap = settings("strategy.name=relative_rank", "backtest.paths=10", "backtest.capitals=[1e6]")
    found = Backtest(cheap, tmp_path / "store").run(one_symbol(0, 0.6, bars=300))
    assert list(unchanged(found)) == ["same with class prior holds nothing either: the strategy chose no symbol"]


def test_no_edge_is_called_luck(one_symbol, settings, tmp_path):
    cheap = settings("backtest.paths=10", "backtest.capitals=[1e6]")
    luck = 0
    for seed in range(5):
        found = Backtest(cheap, tmp_path / "store").run(one_symbol(seed, 0.5, bars=300))
        luck += "not distinguishable from luck" in found.sentence
        assert found.judgement.deflated.trials == seed + 1
    assert luck == 5


def test_the_benchmark_of_significance_tells_edges_from_chance(simulated_market):
    found = importlib.import_module("bench_significance").figures(seeds=4, right=0.6, models=2, bars=400)
    assert abs(found["planted_sharpe"] - found["planted_true"]) < 3 * found["planted_sharpe_se"] < 2.0
    assert found["planted_said"] == 4 and found["no_edge_said"] >= 3 and found["spa_false_positives"] <= 1


def test_costs_of_a_turned_position_by_hand(one_symbol, settings, tmp_path):
    """A side that changes from +½ to −½ trades all of equity: at 10 bps that costs 0.1 % of it."""
    given = one_symbol(3, 0.5, bars=300)
    free = Backtest(settings(), tmp_path / "store").run(given)
    paid = Backtest(settings("backtest.costs.half_spread_bps=10"), tmp_path / "store").run(given)
    traded = float(paid.simulation.ledger.traded.sum())
    assert paid.simulation.costs["spread"] == pytest.approx(traded * 10e-4)
    assert free.total_return > paid.total_return and free.simulation.costs.sum() == 0.0
    assert float(paid.simulation.costs.sum()) == pytest.approx(paid.metrics["costs"])


def test_halts_and_delistings_are_traded_as_they_are_known(one_symbol, settings, tmp_path):
    a, b = one_symbol(4, 0.5, bars=300), one_symbol(5, 0.5, bars=300)
    (bars,), table = b.bars, b.tables["direction"].assign(symbol="BBB")
    ends = replace(bars.first(200), symbol="BBB")
    quiet = ends.volume.copy()
    quiet[150:160] = 0.0
    table = table[table["date"] <= ends.dates[-1]]
    both = replace(
        a,
        bars=(*a.bars, replace(ends, volume=quiet)),
        tables={"direction": pd.concat([a.tables["direction"], table], ignore_index=True)},
    )
    gone = settings("backtest.delisted={BBB: -0.3}", "strategy.parameters={size: 0.4}")
    found = Backtest(gone, tmp_path / "store").run(both)
    orders = found.simulation.orders
    own = orders[orders["symbol"] == "BBB"]
    assert not own["date"].isin(ends.dates[150:160]).any(), "no fill without volume"
    assert (own["kind"] == "delisting").sum() == 1 and np.isfinite(found.equity).all()
    (last,) = own[own["kind"] == "delisting"]["reference"]
    assert last == pytest.approx(0.7 * ends.close[-1])
    assert found.why["no bar"] > 0
    with pytest.raises(DataError, match="no forecast of 'ZZZ'; it has those of AAA, BBB"):
        both.only("ZZZ")
    alone = Backtest(settings("strategy.parameters={size: 0.4}"), tmp_path / "store").run(both.only("AAA"))
    assert alone.simulation.market.symbols == ("AAA",)

"""Backtests of a walk-forward run: what is read, compared, refused and counted."""

import json
from shutil import copy

import numpy as np
import pandas as pd
import pytest

from configs import load_config
from configs.errors import ConfigError, DataError, ModelError
from training import BacktestValidator, VolatilityPredictor
from training.backtest import Backtest
from training.backtesting.chart_series import costs_by_time, drawdown, exposure, monthly_returns, rolling_risk
from training.backtesting.sources import of_run, of_walk_forward
from training.registry.trials import TrialLedger
from training.registry.walk_forwards import WalkForwards

pytestmark = pytest.mark.slow


def settings(*overrides):
    return load_config("demo", overrides=[*overrides])


def run(store, *overrides):
    return Backtest(settings(*overrides), store).of_walk_forward()


def test_a_walk_forward_run_is_traded_from_its_first_forecast_to_the_fill_after_its_last(store):
    found = run(store)
    forecasts = of_walk_forward(store)
    first, last = forecasts.days()
    dates = found.simulation.dates
    assert dates[0] == first and dates[-2] == last and len(dates) == 181
    assert [one.name for one in found.compared] == ["buy_and_hold", "equal_weight", "volatility_target_ewma"]
    assert found.why["position"] > 500 and found.num_trades > 3 and not found.missing
    assert found.total_return == pytest.approx(found.equity.iloc[-1] / 1e6 - 1)
    assert -1 < found.max_drawdown < 0 and found.max_drawdown == pytest.approx(drawdown(found.simulation).min())
    assert found.economic.utility < 0.04 and set(found.economic.fees) == {1, 10}
    assert found.calibration.groupby("kind").size().to_dict() == {"direction": 3, "volatility": 3}
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["significance"]["trials"] == 1 and document["metrics"]["sharpe"] == found.sharpe_ratio
    assert "volatility_target on walk-forward run" in repr(found)


def test_series_add_up(store):
    found = run(store, "backtest.costs.preset=crypto")
    account = found.simulation
    assert np.prod(1 + monthly_returns(account)) == pytest.approx(1 + found.total_return)
    costs = costs_by_time(account)
    pd.testing.assert_series_equal(costs.sum(), account.costs, check_names=False)
    assert costs.iloc[0].sum() == 0 and list(found.equities().columns)[:2] == ["strategy", "buy and hold"]
    assert exposure(account)["gross"].max() < 0.5 and rolling_risk(account, found.bars_per_year)["sharpe"].notna().any()
    assert account.profit_by_symbol.sum() == pytest.approx(account.equity.iloc[-1] - 1e6 + account.costs["interest"])


def test_every_other_strategy_and_forecast_is_a_trial_and_the_same_is_not(store):
    ledger = TrialLedger(store)
    for overrides, count in (
        ((), 1),
        ((), 1),
        (("backtest.costs.preset=none",), 1),
        (("strategy.caps.name=0.2",), 2),
        (("strategy.name=direction",), 3),
        (("backtest.start=2016-03-01",), 4),
    ):
        found = run(store, *overrides)
        assert ledger.tried().trials == found.judgement.deflated.trials == count


def test_rows_that_no_forecast_covers_are_refused_with_the_dates(store):
    with pytest.raises(DataError, match=r"start=2015-06-01 is in sample: .* forecasts 2015-12-31 to 2016-09-07 out of"):
        run(store, "backtest.start=2015-06-01")
    with pytest.raises(DataError, match="end=2016-12-31 is after the last forecast"):
        run(store, "backtest.end=2016-12-31")
    found = run(store, "backtest.start=2016-03-01", "backtest.end=2016-06-30")
    assert (str(found.simulation.dates[0])[:10], str(found.simulation.dates[-1])[:10]) == ("2016-03-01", "2016-06-30")
    assert not TrialLedger(store).tried().trials > 1, "what is refused was not tried"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["strategy.name=nosuch"], "strategy.name has value 'nosuch'"),
        (["backtest.benchmark=SPY"], "benchmark 'SPY' has no bars here; expected one of AAA, BBB, CCC"),
        (["backtest.delisted={ZZZ: -0.3}"], "backtest.delisted has ZZZ, of which there are no forecasts"),
        (["backtest.costs.impact={ZZZ: 1}"], "backtest.costs.impact has ZZZ"),
        (["backtest.currency={AAA: EUR}"], "no exchange rates of EUR"),
        (["backtest.fx_rates=nosuch.csv"], "fx_rates 'nosuch.csv' cannot be read"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(store, overrides, message):
    with pytest.raises(ConfigError, match=message):
        run(store, *overrides)


@pytest.mark.parametrize("figure", ["-1", "abc", "{AAA: -1}", "true", ".nan"])
def test_costs_that_make_no_sense_are_refused(figure):
    with pytest.raises(ConfigError, match=r"commission_bps.*: expected a number of at least 0 and below 5,000"):
        settings(f"backtest.costs.commission_bps={figure}")


def test_costs_by_symbol_and_a_currency(store, tmp_path):
    dates = of_walk_forward(store).bars[0].dates
    pd.DataFrame({"date": dates, "EUR": 2.0}).to_csv(tmp_path / "fx.csv", index=False)
    base = run(store, "backtest.costs.preset=none")
    euro = run(
        store,
        "backtest.costs={preset: none, commission_bps: {AAA: 10}}",
        "backtest.currency={AAA: EUR}",
        f"backtest.fx_rates={tmp_path / 'fx.csv'}",
    )
    paid = euro.simulation.costs_by_symbol["commission"]
    assert paid["AAA"] > 0 == paid["BBB"]
    held = base.simulation.positions["AAA"].iloc[5] / euro.simulation.positions["AAA"].iloc[5]
    assert held == pytest.approx(2.0, rel=0.01), "a share in euros costs twice as many dollars"


def test_bars_that_were_pruned_are_read_again_and_must_be_the_same(store, walked, tmp_path):
    before = run(store)
    store.delete("runs/bars")
    assert run(store).equity.equals(before.equity)
    store.delete("runs/bars")
    saved = copy(walked.bars, tmp_path / "saved.parquet")
    try:
        frame = pd.read_parquet(walked.bars)
        frame.loc[300, "close"] *= 1.0001
        frame.to_parquet(walked.bars)
        with pytest.raises(ModelError, match=r"has other bars now\. Run fleetcast walk-forward again"):
            run(store)
    finally:
        copy(saved, walked.bars)


def test_forecasts_of_one_kind_serve_the_strategies_that_need_no_other(store):
    found = of_walk_forward(store)
    only = type(found)(found.title, found.config, found.bars, {"direction": found.tables["direction"]})
    with pytest.raises(DataError, match=r"volatility_target needs forecasts of volatility, and .* has direction only"):
        Backtest(settings(), store).run(only)
    result = Backtest(settings("strategy.name=direction"), store).run(only)
    assert result.economic is None
    assert [one.name for one in result.compared][2:] == ["volatility_target_ewma", "strategy_prior"]
    bare = only.tables["direction"].drop(columns=["p_down_prior"])
    result = Backtest(settings("strategy.name=direction"), store).run(
        type(found)(found.title, found.config, found.bars, {"direction": bare})
    )
    assert "no forecasts of the class prior" in result.missing["same with class prior"]


def test_noise_reaches_features_and_fills_and_seeds_repeat_it(store):
    base = run(store)
    little, much = (
        run(store, "backtest.simulations=2", f"backtest.price_noise={noise}").simulated for noise in (1e-7, 0.5)
    )
    assert little.noise["sharpe"]["50%"] == pytest.approx(base.sharpe_ratio, abs=0.05)
    assert little.noise["sharpe"]["95%"] - little.noise["sharpe"]["5%"] < 0.01
    assert much.noise["sharpe"]["95%"] - much.noise["sharpe"]["5%"] > 0.02
    again = run(store, "backtest.simulations=2", "backtest.price_noise=0.5").simulated
    assert again.to_json() == much.to_json() and again.intervals.equals(much.intervals)
    other = run(store, "backtest.simulations=2", "backtest.price_noise=0.5", "backtest.seed=1").simulated
    assert other.noise != much.noise and other.perturbed != much.perturbed
    found = of_walk_forward(store)
    again = found.reforecast(found.bars)
    for kind, column in (("direction", "p_up"), ("volatility", "forecast")):
        both = found.tables[kind].merge(again[kind], on=["symbol", "date"], suffixes=("", "_again"))
        assert len(both) == len(found.tables[kind])
        np.testing.assert_allclose(both[column], both[f"{column}_again"], rtol=2e-3)


def test_without_the_fits_noise_is_reported_as_missing(store):
    fits = [name for name in store.names("runs") if name.startswith(("direction", "volatility"))]
    assert fits
    for name in fits:
        store.delete(f"runs/{name}")
    found = run(store, "backtest.simulations=2").simulated
    assert found.noise == {} and "pruned" in found.missing["noisy prices"] and found.perturbed["sharpe"]


def test_a_fitted_model_trades_only_what_it_has_not_seen(make_universe, tiny_config, tmp_path):
    bars = make_universe(("AAA", "BBB"), bars=420)
    config = tiny_config("volatility.members=[boosting]")
    model = VolatilityPredictor(config).fit([one.first(360) for one in bars])
    validator = BacktestValidator(tmp_path)
    found = validator.run_backtest(model, bars, "AAA", cash=1000.0, costs={"preset": "none"})
    seen = np.datetime64(model.calibrated_to)
    assert found.simulation.dates[0] >= seen and found.simulation.market.symbols == ("AAA",)
    assert found.simulation.starting_cash == 1000.0 and "are not traded" in found.notes[0]
    with pytest.raises(DataError, match=f"the model has seen outcomes up to {str(seen)[:10]}"):
        validator.run_backtest(model, [one.first(250) for one in bars])
    with pytest.raises(DataError, match="no forecast of 'CCC'"):
        validator.run_backtest(model, bars, "CCC")
    with pytest.raises(ConfigError, match="cahs"):
        validator.run_backtest(model, bars, cahs=3)
    simulated = validator.monte_carlo_validation(model, bars, num_simulations=3)
    assert simulated.simulations == 3 and {"sharpe", "cagr"} <= set(simulated.intervals.index)
    with pytest.raises(ConfigError, match="num_simulations has value 0"):
        validator.monte_carlo_validation(model, bars, 0)


def test_a_class_is_fitted_walk_forward_first(walked, store):
    bars = of_walk_forward(store).bars
    runs = WalkForwards(store)
    config = of_run(store, runs.read()).config
    validator = BacktestValidator(store)
    model = VolatilityPredictor(config)
    found = validator.run_backtest(model, list(bars), train_window=260, test_window=60)
    assert found.num_trades > 0 and len(runs.names()) == 2 and found.title.startswith("walk-forward run")
    assert validator.run_backtest(model, list(bars), train_window=260, test_window=60).equity.equals(found.equity)

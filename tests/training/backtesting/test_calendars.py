"""Symbols that trade on other days, or stop trading: a coin every day, stocks on weekdays, one of which is delisted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from configs import Config, load_config
from features.bars.schema import SymbolBars
from features.labels import bar_variance, volatility_target
from training.backtest import Backtest
from training.backtesting.account_terms import terms_of
from training.backtesting.economics import economic_value
from training.backtesting.forecasts import OutOfSample, backtest_view
from training.backtesting.statements import unchanged
from training.strategy.pipeline import decide

FIRST = "2017-03-04"  # a Saturday
HORIZON = 5
LOOSE = "{name: 1, group: 10, gross: 3, net: 3, volatility: null, no_trade_band: 0}"


def symbol_bars(name, dates, seed, sigma):
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(sigma * rng.standard_normal(len(dates))))
    opened = np.concatenate([[100.0], close[:-1]]) * np.exp(0.2 * sigma * rng.standard_normal(len(dates)))
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    days = dates.to_numpy().astype("datetime64[ns]")
    return SymbolBars(name, days, opened, high, low, close, np.full(len(dates), 1e7), True, True)


@pytest.fixture(scope="module")
def bars():
    weekdays = pd.bdate_range("2016-01-01", "2017-12-29")
    stock = symbol_bars("STOCK", weekdays, 1, 0.01)
    halt = (weekdays >= "2017-05-08") & (weekdays < "2017-05-22")
    last = stock.close[halt.argmax() - 1]
    frozen = {name: np.where(halt, last, getattr(stock, name)) for name in ("open", "high", "low", "close")}
    return (
        symbol_bars("COIN", pd.date_range("2016-01-01", "2017-12-30"), 0, 0.03),
        replace(stock, **frozen),
        symbol_bars("GONE", weekdays[weekdays < "2017-09-01"], 2, 0.01),
    )


@pytest.fixture(scope="module")
def found(bars):
    """Perfect forecasts of volatility, of the rows that have an outcome only, as a walk-forward run stores them."""
    parts = []
    for one in bars:
        target = volatility_target(bar_variance(one), HORIZON)
        rows = np.flatnonzero((one.dates >= np.datetime64(FIRST)) & (target > 0))
        parts.append(pd.DataFrame({"symbol": one.symbol, "date": one.dates[rows], "forecast": target[rows]}))
    table = pd.concat(parts, ignore_index=True)
    table["target"] = table["low"] = table["high"] = table["forecast"]
    return OutOfSample("forecasts by hand", Config(), bars, {"volatility": table})


def run(found, store, *overrides):
    ask = ["backtest.costs.preset=none", f"strategy.caps={LOOSE}", "backtest.paths=10", "backtest.capitals=[1e6]"]
    return Backtest(load_config("demo", overrides=[*ask, *overrides]), store).run(found)


def other(result, name):
    return next(one.simulation for one in result.compared if one.name == name)


def test_buy_and_hold_and_equal_weights_buy_stocks_although_they_begin_on_a_saturday(found, bars, tmp_path):
    result = run(found, tmp_path / "store")
    assert result.bars_per_year == 365 and str(result.simulation.dates[0])[:10] == FIRST
    held = other(result, "buy_and_hold").positions
    monday = bars[1].close[int(np.searchsorted(bars[1].dates, np.datetime64(FIRST)))]
    coin = bars[0].close[int(np.searchsorted(bars[0].dates, np.datetime64(FIRST)))]
    assert held["COIN"].iloc[-1] == pytest.approx(1e6 / 3 / coin)
    assert held["STOCK"].iloc[-1] * monday == pytest.approx(1e6 / 3, rel=0.1), "a third of equity two days later"
    weights = other(result, "equal_weight")
    saturday = weights.dates.get_loc("2017-07-01")
    assert (weights.positions.iloc[saturday:, :2] > 0).all().all(), "a month that begins on a Saturday sells no stock"
    only = other(run(found, tmp_path / "store", "backtest.benchmark=STOCK"), "buy_and_hold")
    assert only.positions["STOCK"].iloc[-1] == pytest.approx(1e6 / monday, rel=0.01)
    for one in (weights, only, other(result, "buy_and_hold")):
        assert one.cash.min() > -1e-6, "nothing is borrowed, although what ended cannot be sold"


def test_a_year_has_the_bars_of_the_accounts_calendar(found, bars):
    """Stocks were there long before the coin: a year of both has 365 dates, although most of all dates are weekdays."""
    late = {name: getattr(bars[0], name)[bars[0].dates >= np.datetime64("2017-02-01")] for name in FIELDS}
    terms = terms_of(replace(found, bars=(replace(bars[0], **late), *bars[1:])), load_config("demo").backtest)
    assert terms.bars_per_year == 365


def test_a_position_is_not_closed_because_of_what_only_later_bars_tell(found, tmp_path):
    result = run(found, tmp_path / "store", "backtest.delisted={GONE: -0.5}")
    orders = result.simulation.orders
    gone = orders[orders["symbol"] == "GONE"]
    assert gone["kind"].iloc[-1] == "delisting" and str(gone["date"].iloc[-1])[:10] == "2017-09-01"
    assert gone["quantity"].iloc[-1] < 0 and gone["reference"].iloc[-1] == pytest.approx(0.5 * found.bars[2].close[-1])
    held = result.simulation.positions["STOCK"]
    assert (held["2017-05-01":"2017-05-14"] > 0).all(), "the price froze on the 8th"
    assert result.why.get("no forecast", 0) <= 1, "the last of the frozen bars, too long after its forecast"


def test_decisions_do_not_depend_on_bars_after_them(found, bars):
    """The run that ends before the delisting decides the same until then."""
    settings = load_config("demo", overrides=[f"strategy.caps={LOOSE}"])
    cut = np.datetime64("2017-08-30")
    shorter = tuple(replace(one, **{f: getattr(one, f)[one.dates <= cut] for f in FIELDS}) for one in bars)
    tables = {"volatility": found.tables["volatility"][found.tables["volatility"]["date"] <= "2017-08-24"]}
    made = []
    for some, table in ((bars, found.tables), (shorter, tables)):
        terms = terms_of(replace(found, bars=some, tables=table), settings.backtest)
        made.append(
            decide(backtest_view(table, terms.history, found.config), settings.strategy, first=terms.first).targets()
        )
    days = made[1].index[made[1].index <= "2017-08-24"]
    pd.testing.assert_frame_equal(made[0].loc[days], made[1].loc[days])


FIELDS = ("dates", "open", "high", "low", "close", "volume")


def test_a_symbol_that_is_delisted_after_the_account_is_not_yet(found, tmp_path):
    early = run(found, tmp_path / "store", "backtest.delisted={GONE: -0.9}", "backtest.end=2017-06-30")
    assert (early.simulation.orders["kind"] != "delisting").all()
    assert any(note.startswith("GONE: there are bars after 2017-06-30") for note in early.notes)
    at_the_end = run(found, tmp_path / "store", "backtest.delisted={GONE: -0.9}")
    assert not any("backtest.delisted is not used" in note for note in at_the_end.notes)


def test_positions_are_counted_of_the_symbols_that_the_account_has(found, tmp_path):
    late = run(found, tmp_path / "store", "backtest.start=2017-10-02")
    assert late.simulation.market.symbols == ("COIN", "STOCK"), "the third had ended"
    assert sum(late.why.values()) == 2 * (len(late.simulation.dates) - 1)


def test_what_no_lot_was_worth_is_not_said_to_be_the_decision_of_limits(found, tmp_path):
    poor = run(found, tmp_path / "store", "backtest.cash=1", "backtest.costs.lot=1")
    assert any("no position was worth a whole lot" in note for note in poor.simulation.notes)
    assert poor.why["position"] > 0 and not list(unchanged(poor))


def test_only_what_ended_is_said_to_have_ended(found, tmp_path):
    (note,) = [one for one in run(found, tmp_path / "store").simulation.notes if "bars end before" in one]
    assert note.startswith("GONE:"), "the stocks had no bar on the last Saturday"


def test_other_times_are_simulated_after_a_weekend(found, tmp_path):
    (p, missing) = (lambda one: (one.timing_p_value, one.missing))(
        run(found, tmp_path / "store", "backtest.simulations=3").simulated
    )
    assert p in (0.25, 0.5, 0.75, 1.0) and "other times" not in missing


def test_the_fee_of_a_short_position_is_that_of_a_year_on_any_calendar(found):
    terms = terms_of(found, load_config("demo", overrides=["backtest.costs.preset=us_equities"]).backtest)
    fees = terms.costs.borrow_bps_per_bar
    assert fees["COIN"] * 365 == pytest.approx(40) and fees["STOCK"] * 260 == pytest.approx(40, rel=0.04)
    assert terms.costs.margin_interest_bps_per_bar * 365 == pytest.approx(500)


def test_the_scaled_portfolio_earns_what_stocks_do_over_weekends(found):
    terms = terms_of(found, load_config("demo").backtest)
    only = found.only("STOCK")
    alone = terms_of(only, load_config("demo").backtest)
    view = backtest_view(only.tables, alone.history, found.config)
    own = economic_value(only, view, alone)
    mixed = backtest_view(only.tables, terms.history, found.config)
    assert own is not None
    both = economic_value(only, mixed, terms)
    assert both is not None
    assert both.volatility == pytest.approx(own.volatility, rel=0.03), "weekends lose no return"
    assert both.fees[1].value == pytest.approx(own.fees[1].value, abs=0.01)

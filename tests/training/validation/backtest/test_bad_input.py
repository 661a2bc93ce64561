"""Bad input: one clear error, or the right value."""

import numpy as np
import pandas as pd
import pytest

from configs.errors import ConfigError, DataError
from training.validation import Costs, simulate
from training.validation.backtest.presets import PRESETS, preset

DAYS = pd.date_range("2024-01-01", periods=6)


def frame(price=100.0, days=DAYS, volume=1e6):
    p = np.full(len(days), price) if np.isscalar(price) else np.asarray(price, float)
    return pd.DataFrame({"Open": p, "High": p, "Low": p, "Close": p, "Volume": volume}, index=days)


TARGETS = pd.DataFrame({"X": 10.0}, index=DAYS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"half_spread_bps": -1}, "half_spread_bps has value -1"),
        ({"commission_min": float("nan")}, "finite"),
        ({"slippage_bps": float("inf")}, "finite"),
        ({"commission_bps": "10"}, "number"),
        ({"half_spread_bps": "roll"}, "corwin_schultz"),
        ({"impact": None}, "None"),
        ({"borrow_bps_per_bar": {"X": -2.0}}, "borrow_bps_per_bar of X"),
        ({"slippage_bps": 6_000}, "5,000"),
        ({"participation_cap": 0}, "above 0"),
        ({"participation_cap": 1.5}, "at most 1"),
        ({"slippage_bps": pd.DataFrame({"X": [-1.0]}, index=DAYS[:1])}, "slippage_bps"),
        ({"lot": True}, "number"),
    ],
)
def test_costs_that_make_no_sense(arguments, words):
    with pytest.raises(ConfigError, match=words):
        Costs(**arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cash": 0}, "cash"),
        ({"cash": float("nan")}, "cash"),
        ({"unit": "percent"}, "shares"),
        ({"fill": "tomorrow"}, "vwap"),
        ({"costs": {"commission_bps": 1}}, "Costs"),
        ({"max_leverage": 0}, "max_leverage"),
        ({"stops": TARGETS, "fill": "close"}, "fill='open'"),
        ({"delisted": {"X": -2}}, "delisted"),
        ({"delisted": {"x": -0.3}}, "delisted has x, of which there are no bars"),
        ({"currency": {"Z": "EUR"}}, "currency has Z, of which there are no bars"),
        ({"currency": {"X": "EUR"}}, "EUR"),
        ({"costs": Costs(commission_bps={"Y": 1.0})}, "lacks X"),
        ({"costs": Costs(slippage_bps=pd.Series([1.0], index=DAYS[3:4]))}, "begins after"),
        ({"costs": Costs(cash_interest_bps_per_bar={"X": 1.0})}, "cash has none"),
    ],
)
def test_arguments_that_make_no_sense(arguments, words):
    with pytest.raises(ConfigError, match=words):
        simulate({"X": frame()}, TARGETS, **arguments)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (pd.DataFrame({"X": 1.0, "Y": 1.0}, index=DAYS), "Y, of which there are no bars"),
        (pd.DataFrame({"X": 1.0}, index=DAYS.shift(1)), "2024-01-07"),
        (pd.DataFrame({"X": 1.0}, index=[DAYS[0], DAYS[0]]), "twice"),
        (pd.DataFrame([[1.0, 2.0]], columns=["X", "X"], index=DAYS[:1]), "twice"),
        (pd.DataFrame({"X": np.inf}, index=DAYS), "infinite"),
        (pd.DataFrame({"X": "many"}, index=DAYS), "not numbers"),
        (pd.DataFrame({"X": []}), "rows"),
        ([1.0] * 6, "list"),
    ],
)
def test_targets_that_do_not_fit(targets, words):
    with pytest.raises(DataError, match=words):
        simulate({"X": frame()}, targets)


@pytest.mark.parametrize(("rate", "words"), [("dear", "not numbers .*'dear'"), (-1.0, "0 or less")])
def test_exchange_rates_that_are_none(rate, words):
    rates = pd.DataFrame({"EUR": [1.1, rate]}, index=DAYS[:2])
    with pytest.raises(DataError, match=words):
        simulate({"X": frame()}, TARGETS, currency={"X": "EUR"}, fx_rates=rates, account_currency="USD")


def test_what_is_less_than_a_lot_is_said_and_not_traded():
    found = simulate({"X": frame()}, TARGETS, Costs(lot=1), unit="weight", cash=5.0)
    assert not len(found.orders) and "no position was worth a whole lot" in found.notes[0]


def test_bars_that_cannot_be_used():
    with pytest.raises(DataError, match="no bars"):
        simulate({}, TARGETS)
    with pytest.raises(DataError, match="no valid bar"):
        simulate({"X": frame(np.nan)}, TARGETS)
    with pytest.raises(DataError, match="twice"):
        simulate({"X": pd.concat([frame(), frame()])}, TARGETS)
    with pytest.raises(DataError, match="close"):
        simulate({"X": frame().drop(columns="Close")}, TARGETS)
    with pytest.raises(DataError, match="volume below 0"):
        simulate({"X": frame(volume=-1.0)}, TARGETS)


def test_a_symbol_cannot_be_held_before_its_first_bar():
    bars = {"X": frame(), "NEW": frame(days=DAYS[3:])}
    targets = pd.DataFrame({"X": 1.0, "NEW": 1.0}, index=DAYS)
    with pytest.raises(DataError, match="NEW on 2024-01-01, before its first bar on 2024-01-04"):
        simulate(bars, targets)
    targets.loc[DAYS[:3], "NEW"] = [0.0, np.nan, 0.0]
    assert simulate(bars, targets).positions["NEW"].tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("bad", [np.nan, 0.0, -5.0, np.inf])
def test_a_price_that_is_none_inside_a_position_is_no_bar(bad):
    bars = frame([100, 100, 110, 120, 130, 130])
    bars.loc[DAYS[3]] = [bad] * 4 + [1e6]
    result = simulate({"X": bars}, pd.DataFrame({"X": [10.0, 10, 0, 0, 0, 0]}, index=DAYS), cash=2_000)
    assert result.equity.tolist() == [2_000, 2_000, 2_100, 2_100, 2_300, 2_300], "valued at 110, sold at 130"
    assert result.notes[0].startswith("1 bar has a price") and "X 1" in result.notes[0]


def test_orders_wait_while_a_symbol_is_halted_or_nobody_trades():
    volume = pd.Series([1e6, 0, 0, 1e6, 1e6, 1e6], index=DAYS)
    weekly = pd.DataFrame({"X": [10.0]}, index=DAYS[:1])
    result = simulate({"X": frame(volume=volume)}, weekly, cash=2_000)
    assert result.orders["date"].tolist() == [DAYS[3]]
    halted = simulate({"X": frame().drop(DAYS[1:3]), "Y": frame()}, TARGETS.assign(Y=0.0), cash=2_000)
    assert halted.orders["date"].tolist() == [DAYS[3]]
    none = simulate({"X": frame(volume=0.0)}, TARGETS, cash=2_000)
    assert none.orders["date"].tolist() == [DAYS[1]], "a series without any volume, as currencies have, is traded"
    assert not none.notes, "there are no costs that need one"
    for costs in (Costs(impact=1.0), Costs(participation_cap=0.1)):
        (note,) = simulate({"X": frame(volume=0.0)}, TARGETS, costs, cash=2_000).notes
        assert note.startswith("X: the bars have no volume")
        assert not simulate({"X": frame()}, TARGETS, costs, cash=2_000).notes


def test_a_ruined_account_is_closed():
    bars = frame([100, 100, 100, 250, 240, 10])
    result = simulate({"X": bars}, pd.DataFrame({"X": -10.0}, index=DAYS), cash=1_000)
    assert result.equity.tolist() == [1_000, 1_000, 1_000, -500, -400, -400]
    assert "lost everything on 2024-01-04" in result.notes[0]
    metrics = result.metrics(252)
    assert metrics["total_return"] == metrics["max_drawdown"] == metrics["cagr"] == -1
    weights = simulate({"X": bars}, pd.DataFrame({"X": -1.0}, index=DAYS), cash=1_000, unit="weight")
    assert weights.equity.iloc[-1] == weights.equity.iloc[-2] <= 0 and weights.positions.iloc[-1, 0] == 0


def test_dividends_are_paid_where_prices_do_not_contain_them():
    bars = frame([100.0, 100, 100, 95, 95, 95])
    raw = bars.assign(**{"Adj Close": [95.0, 95, 95, 95, 95, 95], "Dividends": [0, 0, 0, 5.0, 0, 0]})
    targets = pd.DataFrame({"X": 10.0}, index=DAYS)
    paid = simulate({"X": raw}, targets, cash=2_000)
    assert paid.equity.tolist() == [2_000] * 6 and paid.ledger.dividends.sum() == 50
    assert simulate({"X": raw}, -targets, cash=2_000).equity.tolist() == [2_000] * 6, "a short position pays it"
    adjusted = simulate({"X": raw.drop(columns="Dividends")}, targets, cash=2_000)
    assert adjusted.equity.tolist() == [2_000] * 6 and adjusted.orders["price"].iloc[0] == 95
    history = simulate({"X": frame(95.0).assign(Dividends=raw["Dividends"])}, targets, cash=2_000)
    assert history.equity.tolist() == [2_000] * 6, "adjusted prices contain them: not paid again"
    assert simulate({"X": bars.assign(Dividends=raw["Dividends"])}, targets, cash=2_000, adjusted=False).equity.iloc[
        -1
    ] == pytest.approx(2_000)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_costs(name):
    result = simulate({"X": frame()}, TARGETS, preset(name, 252), cash=2_000)
    assert (result.costs.sum() > 0) == (name != "none") and result.positions.iloc[-1, 0] == 10


def test_an_unknown_preset_is_named():
    with pytest.raises(ConfigError, match=r"'stocks'.*us_equities"):
        preset("stocks", 252)
    with pytest.raises(ConfigError, match="bars_per_year"):
        preset("none", 0)


def test_a_day_between_the_bars_decides_for_the_next_one_but_a_day_decides_nothing_between_intraday_bars():
    halted = frame([10, 11, 12, 13, 14, 15]).drop(DAYS[2])
    targets = pd.DataFrame({"X": [1.0, 2, 5, 5, 5, 5]}, index=DAYS)
    assert simulate({"X": halted}, targets).positions["X"].tolist() == [0, 1, 5, 5, 5]
    hours = pd.date_range("2024-01-01 14:30", periods=6, freq="h")
    with pytest.raises(DataError, match="2024-01-02"):
        simulate({"X": frame(days=hours.append(hours.shift(1, "D")))}, pd.DataFrame({"X": [1.0]}, index=DAYS[1:2]))


def test_a_single_bar_has_no_metrics():
    result = simulate({"X": frame(days=DAYS[:1])}, TARGETS[:1])
    assert result.equity.tolist() == [10_000] and not len(result.orders)
    with pytest.raises(DataError, match="two dates"):
        result.metrics(252)


def test_costs_by_date_and_symbol():
    bars = {"X": frame(), "Y": frame()}
    targets = pd.DataFrame({"X": [1.0, 0, 0, 1, 1, 1], "Y": [1.0, 0, 0, 1, 1, 1]}, index=DAYS)
    rising = pd.DataFrame({"X": [10.0, 20.0], "Y": [0.0, 40.0]}, index=[DAYS[0], DAYS[2]])
    result = simulate(bars, targets, Costs(half_spread_bps=rising, commission_bps={"X": 1.0, "Y": 2.0}), cash=2_000)
    table = result.orders.pivot(index="date", columns="symbol", values="spread")
    np.testing.assert_allclose(table["X"], [0.10, 0.20, 0.20])
    np.testing.assert_allclose(table["Y"], [0.0, 0.40, 0.40])
    series = simulate(bars, targets, Costs(slippage_bps=pd.Series([10.0, 20.0], index=[DAYS[0], DAYS[2]])), cash=2_000)
    assert series.costs["slippage"] == pytest.approx(2 * 0.5)

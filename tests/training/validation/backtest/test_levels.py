"""Limits, stops and targets along the path of an account."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import DataError
from training.validation import Costs, simulate

DAYS = pd.date_range("2024-01-01", periods=4)
SPREAD = Costs(half_spread_bps=10, commission_bps=1)


def bars(*rows):
    """Return bars of (open, high, low, close); the first is flat at 100."""
    table = [(100, 100, 100, 100), *rows]
    return pd.DataFrame(table, columns=["Open", "High", "Low", "Close"], index=DAYS[: len(table)], dtype=float)


def fills(frame, target, **levels):
    """Return (kind, quantity, price) of the orders of one decision at the first close, whose levels stay."""
    first = {name: pd.Series([level], index=DAYS[:1]) for name, level in levels.items()}
    orders = simulate(frame, pd.Series([target], index=DAYS[:1]), SPREAD, **first).orders
    return [
        (kind, quantity, round(price, 6)) for kind, quantity, price in orders[["kind", "quantity", "price"]].to_numpy()
    ]


def test_a_limit_that_rests_pays_no_spread_and_one_that_crosses_does():
    assert fills(bars((100, 102, 98, 101)), 10, limits=99) == [("limit", 10, 99)]
    assert fills(bars((100, 102, 98, 101)), -10, limits=101) == [("limit", -10, 101)]
    assert fills(bars((100, 102, 98, 101)), 10, limits=101) == [("market", 10, 100.1)]
    assert fills(bars((100, 102, 99, 101)), 10, limits=100.05) == [("limit", 10, 100.05)], "never worse than the limit"


def test_a_limit_that_is_not_reached_waits():
    frame = bars((100, 102, 99, 101), (98, 99, 97, 98))
    assert fills(frame, 10, limits=98.5) == [("market", 10, 98.098)]
    assert fills(frame, 10, limits=90) == []


def test_a_stop_pays_the_spread_and_a_target_does_not():
    assert fills(bars((100, 101, 94, 96)), 10, stops=95) == [("market", 10, 100.1), ("stop", -10, 94.905)]
    assert fills(bars((100, 106, 99, 101)), 10, take_profits=105) == [("market", 10, 100.1), ("take_profit", -10, 105)]
    assert fills(bars((100, 106, 94, 101)), -10, stops=105) == [("market", -10, 99.9), ("stop", 10, 105.105)]


def test_stop_and_target_in_one_bar_is_the_stop_unless_the_open_was_beyond_the_target():
    both = {"stops": 95, "take_profits": 105}
    assert fills(bars((100, 106, 94, 101)), 10, **both)[1] == ("stop", -10, 94.905)
    gapped = bars((100, 101, 99, 100), (107, 108, 94, 95))
    assert fills(gapped, 10, **both)[1] == ("take_profit", -10, 107)


def test_a_position_that_a_resting_limit_opened_takes_no_profit_in_the_same_bar():
    frame = bars((100, 106, 97, 101), (101, 106, 100, 102))
    orders = simulate(
        frame,
        pd.Series([10], index=DAYS[:1]),
        limits=pd.Series([98.0], index=DAYS[:1]),
        take_profits=pd.Series([105.0], index=DAYS[:1]),
    ).orders
    assert orders["date"].tolist() == [DAYS[1], DAYS[2]] and orders["kind"].tolist() == ["limit", "take_profit"]
    stopped = fills(bars((100, 106, 90, 101)), 10, limits=98, stops=95)
    assert [kind for kind, _, _ in stopped] == ["limit", "stop"], "but it can be stopped"


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.lists(st.tuples(*[st.floats(90, 110)] * 4), min_size=3, max_size=3),
    st.sampled_from([-10, 10]),
    st.floats(91, 109),
    st.floats(1, 8),
    st.floats(1, 8),
)
def test_fills_lie_within_their_bar_and_respect_their_levels(rows, target, limit, down, up):
    frame = bars(*[(o, max(o, h, low, c), min(o, h, low, c), c) for o, h, low, c in rows])
    side = 1 if target > 0 else -1
    levels = {"limits": limit, "stops": 100 - side * down, "take_profits": 100 + side * up}
    first = {name: pd.Series([level], index=DAYS[:1]) for name, level in levels.items()}
    result = simulate(frame, pd.Series([target], index=DAYS[:1]), **first)
    for order in result.orders.to_dict("records"):
        bar = frame.loc[order["date"]]
        assert bar["Low"] - 1e-9 <= order["price"] <= bar["High"] + 1e-9
        if order["kind"] in ("market", "limit"):
            assert side * (order["price"] - limit) <= 1e-9
        elif order["kind"] == "stop":
            assert side * (order["price"] - levels["stops"]) <= 1e-9
        else:
            assert side * (order["price"] - levels["take_profits"]) >= -1e-9
    kinds = result.orders["kind"].tolist()
    assert len(kinds) <= 2 and sum(kind in ("stop", "take_profit") for kind in kinds) <= 1


def test_levels_must_be_prices_of_known_symbols():
    frame, target = bars((100, 101, 99, 100)), pd.DataFrame({"X": [10.0]}, index=DAYS[:1])
    with pytest.raises(DataError, match="0 or less"):
        simulate({"X": frame}, target, stops=target * 0)
    with pytest.raises(DataError, match="Y, of which"):
        simulate({"X": frame}, target, stops=target.rename(columns={"X": "Y"}))

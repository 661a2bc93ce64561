"""Pure decisions of retraining: the order of symbols, what a budget buys, and whether a kind is due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.retrain import RetrainConfig
from serving.retraining.due import KindFacts, judge_due
from serving.retraining.order import SymbolFacts, order_symbols, within_budget

NOW = datetime(2026, 1, 31, tzinfo=UTC)
SETTINGS = RetrainConfig()


def test_the_product_of_staleness_drift_and_exposure_decides():
    facts = [
        SymbolFacts("OLD", age_days=28, drift=0.0, exposure=0.0),
        SymbolFacts("HELD", age_days=7, drift=0.5, exposure=0.1),
        SymbolFacts("DRIFTED", age_days=7, drift=3.0, exposure=0.1),
        SymbolFacts("CALM", age_days=0, drift=0.0, exposure=0.0),
    ]
    found = order_symbols(facts, SETTINGS)
    assert [one.symbol for one in found] == ["DRIFTED", "HELD", "OLD", "CALM"]
    assert [round(one.priority, 6) for one in found] == [0.3, 0.05, 0.04, 0.001]


def test_a_symbol_without_a_model_comes_first_and_equal_ones_by_name():
    found = order_symbols([SymbolFacts("B", 7), SymbolFacts("A", 7), SymbolFacts("NEW")], SETTINGS)
    assert [one.symbol for one in found] == ["NEW", "A", "B"]


@given(st.lists(st.tuples(*[st.floats(0, 1e9)] * 3), max_size=30))
def test_no_symbol_is_lost_or_of_no_priority(numbers):
    facts = [SymbolFacts(f"S{i:02d}", *values) for i, values in enumerate(numbers)]
    found = order_symbols(facts, SETTINGS)
    assert sorted(one.symbol for one in found) == [one.symbol for one in facts]
    assert all(one.priority > 0 for one in found)
    assert [one.priority for one in found] == sorted((one.priority for one in found), reverse=True)


def test_a_factor_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="at least 0"):
        order_symbols([SymbolFacts("A", 1.0, float("nan"))], SETTINGS)


def test_a_budget_buys_whole_blocks_the_most_urgent_first():
    blocks = {"one": ["A", "B"], "two": ["C"], "three": ["D", "E"], "new": ["X"]}
    assert within_budget(blocks, list("DCABE"), None) == (["new", "three", "two", "one"], [])
    assert within_budget(blocks, list("DCABE"), 3) == (["new", "three"], ["two", "one"])
    assert within_budget({"one": list("ABC")}, list("ABC"), 1) == (["one"], [])
    assert within_budget({}, [], 1) == ([], [])


def facts(**changes):
    plain = {"champion": "v", "seen_to": NOW - timedelta(days=3), "symbols": 10}
    return KindFacts("direction", **plain | changes)


@pytest.mark.parametrize(
    ("changes", "force", "is_due", "says"),
    [
        ({}, False, False, "next on 2026-02-04 00:00 UTC"),
        ({"seen_to": NOW - timedelta(days=8)}, False, True, "8.0 days have passed"),
        ({"seen_to": NOW - timedelta(days=8), "last_started": NOW - timedelta(days=2)}, False, False, "2026-02-05"),
        ({"seen_to": None}, False, True, "not known"),
        ({"alarms": ("worse alarm of 2026-01-30",)}, False, True, "worse alarm"),
        (
            {"alarms": ("worse alarm of 2026-01-31",), "last_started": NOW - timedelta(hours=12)},
            False,
            False,
            "next on 2026-01-31 12:00 UTC (worse alarm of 2026-01-31; cool-down)",
        ),
        ({"drifted": 3}, False, True, "drift of 3 of 10 symbols"),
        ({"drifted": 2}, False, False, "next on"),
        ({"unfinished": "it was interrupted", "last_started": NOW}, False, True, "interrupted"),
        ({"running_since": NOW}, True, False, "in progress since 2026-01-31 00:00"),
        ({"champion": None}, True, False, "there is no champion"),
        ({"last_started": NOW}, True, True, "asked for"),
    ],
)
def test_whether_a_kind_is_due(changes, force, is_due, says):
    found = judge_due(facts(**changes), SETTINGS, NOW, force=force)
    assert found.is_due == is_due and says in found.reason

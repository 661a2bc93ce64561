"""Counts of served predictions: nothing is lost between two takes, and the limit bounds what is kept."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from serving.journal.tally import Tally

SNAPSHOTS = [object(), object()]  # a tally asks for their identity only
DIRECTION, BOTH = ("direction",), ("direction", "volatility")
requests = st.tuples(
    st.sampled_from(SNAPSHOTS),
    st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=4),
    st.sampled_from([DIRECTION, BOTH]),
)


@given(st.lists(st.one_of(requests, st.just("take")), max_size=40), st.integers(1, 24))
def test_every_request_is_counted_once_or_refused_whole(steps, limit):
    tally, served, counted, waiting, places = Tally(limit), Counter(), Counter(), Counter(), {}
    for step in [*steps, "take"]:
        if step == "take":
            assert tally.served == waiting.total()
            for page in tally.take():
                assert 0.0 < page.first_s <= page.last_s
                counted.update({(id(page.snapshot), *one): count for one, count in page.times().items()})
            assert counted == served and tally.served == 0 and not tally.is_due
            waiting.clear()
            places.clear()
            continue
        snapshot, symbols, kinds = step
        needed = places | {(id(snapshot), kinds, symbol): len(kinds) for symbol in symbols}
        is_room = sum(needed.values()) <= limit
        assert tally.add(snapshot, symbols, kinds) == is_room
        if is_room:
            one = Counter((id(snapshot), kind, symbol) for kind in kinds for symbol in symbols)
            served, waiting, places = served + one, waiting + one, needed


def test_only_the_first_request_for_a_prediction_is_urgent():
    tally, snapshot = Tally(100), object()
    assert tally.add(snapshot, ["A", "B"], BOTH) and tally.is_due
    (page,) = tally.take()
    assert page.times() == {(kind, symbol): 1 for kind in BOTH for symbol in "AB"}
    assert tally.add(snapshot, ["B"], BOTH) and not tally.is_due
    assert tally.add(snapshot, ["C"], BOTH) and tally.is_due
    (page,) = tally.take()
    assert page.times() == {(kind, symbol): 1 for kind in BOTH for symbol in "BC"}


def test_a_snapshot_that_is_no_longer_served_is_forgotten():
    tally, old, new = Tally(100), object(), object()
    tally.add(old, ["A"], BOTH)
    tally.take()
    tally.add(new, ["A"], BOTH)
    assert [page.snapshot for page in tally.take()] == [new]
    assert [page.snapshot for page in tally._pages.values()] == [new]


def test_known_predictions_take_no_room_and_stay_known():
    tally, snapshot = Tally(8), object()
    for symbol in "ABCDEF":
        assert tally.add(snapshot, [symbol], BOTH) and tally.is_due
        tally.take()
    for symbol in "AB":
        assert tally.add(snapshot, [symbol], BOTH) and not tally.is_due
    assert tally.add(snapshot, ["C"], BOTH) and tally.is_due, "half of the limit"
    assert tally.add(snapshot, ["D"], BOTH) and not tally.add(snapshot, ["A", "E"], BOTH)
    assert tally.served == 8

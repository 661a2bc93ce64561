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
    tally, served, counted, waiting, asked = Tally(limit), Counter(), Counter(), Counter(), Counter()
    for step in [*steps, "take"]:
        if step == "take":
            assert tally.served == waiting.total()
            for page in tally.take():
                assert 0.0 < page.first_s <= page.last_s
                counted.update({(id(page.snapshot), *one): count for one, count in page.times().items()})
            assert counted == served and tally.served == 0 and not tally.has_new
            waiting.clear()
            continue
        snapshot, symbols, kinds = step
        one = Counter((id(snapshot), kind, symbol) for kind in kinds for symbol in symbols)
        asked.update({(id(snapshot), kinds, symbol): len(kinds) for symbol in set(symbols)})
        if tally.add(snapshot, symbols, kinds):
            served += one
            waiting += one
            assert len(waiting) <= limit
        else:
            assert sum(len(kinds) for _, kinds, _ in asked) > limit


def test_only_the_first_request_for_a_prediction_is_new():
    tally, snapshot = Tally(100), object()
    assert tally.add(snapshot, ["A", "B"], BOTH) and tally.has_new
    (page,) = tally.take()
    assert page.times() == {(kind, symbol): 1 for kind in BOTH for symbol in "AB"}
    assert tally.add(snapshot, ["B"], BOTH) and not tally.has_new
    assert tally.add(snapshot, ["C"], BOTH) and tally.has_new
    (page,) = tally.take()
    assert page.times() == {(kind, symbol): 1 for kind in BOTH for symbol in "BC"}


def test_a_snapshot_that_is_no_longer_served_is_forgotten():
    tally, old, new = Tally(100), object(), object()
    tally.add(old, ["A"], BOTH)
    tally.take()
    tally.add(new, ["A"], BOTH)
    assert [page.snapshot for page in tally.take()] == [new]
    assert [page.snapshot for page in tally._pages.values()] == [new]


def test_a_tally_that_is_full_of_zeros_begins_empty():
    tally, snapshot = Tally(4), object()
    assert tally.add(snapshot, ["A", "B"], BOTH) and not tally.add(snapshot, ["C"], BOTH)
    assert tally.add(snapshot, ["B"], BOTH)  # known: it takes no place
    tally.take()
    assert tally.add(snapshot, ["C", "D"], BOTH)

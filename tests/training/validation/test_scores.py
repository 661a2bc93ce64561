import math
import sys

from hypothesis import given
from hypothesis import strategies as st

from training.validation.scores import Scores

VALUES = st.dictionaries(st.sampled_from(["loss", "rows", "mcc"]), st.none() | st.floats(width=32))


@given(st.dictionaries(st.text(max_size=4), VALUES), st.integers(1, 5))
def test_what_was_added_in_parts_is_read_back_but_for_what_is_no_number(scores, size):
    held, names = Scores(), list(scores)
    for start in range(0, len(names), size):
        held.add({name: scores[name] for name in names[start : start + size]})
    assert list(held) == names and len(held) == len(names)
    for name, values in scores.items():
        assert held[name] == {k: v for k, v in values.items() if v is not None and math.isfinite(v)}


def test_columns_take_a_fraction_of_dictionaries():
    held = Scores()
    held.add({f"S{i}": {f"score {j}": 0.5 + i for j in range(15)} for i in range(1000)})
    plain = dict(held["S1"])
    as_dictionaries = 1000 * (sys.getsizeof(plain) + sum(sys.getsizeof(value) for value in plain.values()))
    assert sum(column.nbytes for column in held._columns.values()) < as_dictionaries / 6

"""JSON from anywhere: a value, or one clear ValueError."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.safe_json import MAX_DEPTH, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.mark.slow
@given(VALUES)
def test_what_the_standard_library_writes_is_read_back_exactly(value):
    assert parse_json(json.dumps(value)) == parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_nesting_has_a_limit(opening):
    with pytest.raises(ValueError, match=f"nested more than {MAX_DEPTH} deep at line 1 column"):
        parse_json(opening * 50_000)


@given(st.binary(max_size=64))
def test_bytes_are_a_value_or_a_value_error(data):
    try:
        parse_json(data)
    except ValueError as error:
        assert str(error)

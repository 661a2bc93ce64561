"""Banks hold just the bars that windows reach, and windows gathered from them are those of the panel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.bars.period import BarPeriod
from features.panel import Panel
from features.scaling import FleetScaler
from training.data.design import Design
from training.data.fleet_data import FeatureBuffer
from training.models.fleet.gather import gather_windows

WINDOW, FEATURES = 4, 3


def panel_with(lengths: list[int]) -> Panel:
    rows = sum(lengths)
    values = np.arange(rows * FEATURES, dtype=np.float32).reshape(rows, FEATURES) / (rows * FEATURES)
    nothing = np.zeros(rows)
    return Panel(
        tuple(f"S{i}" for i in range(len(lengths))),
        tuple(f"f{i}" for i in range(FEATURES)),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.zeros(rows, "datetime64[ns]"),
        values,
        nothing,
        nothing,
        nothing,
        (BarPeriod(),) * len(lengths),
        0,
    )


IDENTITY = FleetScaler(np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32), 9.0)


def design_of(scaler, columns):
    """Return a design without a range."""
    wide = np.full(len(columns[0]), np.inf, np.float32)
    return Design(scaler, np.array(columns), -wide, wide, np.arange(len(columns[0])))


@st.composite
def windows(draw):
    lengths = draw(st.lists(st.integers(WINDOW, 30), min_size=1, max_size=4))
    rows = [
        np.array(sorted(draw(st.sets(st.integers(WINDOW - 1, n - 1), max_size=8))), dtype=np.int64) for n in lengths
    ]
    return lengths, rows


@settings(max_examples=60, deadline=None)
@given(case=windows(), joined=st.booleans(), columns=st.sampled_from([[0, 1, 2], [2, 0]]))
def test_windows_of_a_bank_are_the_panels(case, joined, columns):
    lengths, rows = case
    panel = panel_with(lengths)
    centre = np.arange(len(lengths) * FEATURES, dtype=np.float32).reshape(-1, FEATURES)
    scaler = FleetScaler(centre, np.full_like(centre, 0.5), clip=1e9)
    design = design_of(scaler, [columns])
    layout = FeatureBuffer.of(rows, WINDOW, joined=joined)
    buffer = layout.features(panel, design)
    ends = layout.ends(rows)
    assert buffer.shape[::2] == (1 if joined else len(lengths), len(columns))
    assert len(ends) == len(buffer)
    expected = [
        scaler.transform(panel.features[panel.rows(i)][row - WINDOW + 1 : row + 1], i)[:, columns]
        for i, own in enumerate(rows)
        for row in own
    ]
    found = [buffer[i, end - WINDOW + 1 : end + 1] for i, own in enumerate(ends) for end in own]
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    bars = sum(int(own[-1] - own[0]) + WINDOW for own in rows if len(own))
    assert int(layout.length.sum()) == bars, "no bar that no window reaches"


def test_the_networks_own_gathering_agrees():
    panel, rows = panel_with([12, 9]), [np.array([5, 6, 9]), np.array([3, 8, 8])]
    layout = FeatureBuffer.of(rows, WINDOW)
    buffer = layout.features(panel, design_of(IDENTITY, [[0, 1, 2]]))
    gathered = np.asarray(gather_windows(buffer, np.stack(layout.ends(rows)), WINDOW))  # (S, T·B, F)
    gathered = gathered.reshape(2, WINDOW, 3, FEATURES).transpose(0, 2, 1, 3)
    for i, own in enumerate(rows):
        for j, row in enumerate(own):
            np.testing.assert_array_equal(gathered[i, j], panel.features[panel.rows(i)][row - WINDOW + 1 : row + 1])


def test_each_symbol_may_have_its_own_features():
    panel, rows = panel_with([10, 10]), [np.array([9]), np.array([9])]
    buffer = FeatureBuffer.of(rows, WINDOW).features(panel, design_of(IDENTITY, [[0, 1], [2, 1]]))
    np.testing.assert_array_equal(buffer[0], panel.features[6:10][:, [0, 1]])
    np.testing.assert_array_equal(buffer[1], panel.features[16:20][:, [2, 1]])


@pytest.mark.parametrize("joined", [False, True])
def test_without_rows_a_bank_is_empty(joined):
    layout = FeatureBuffer.of([np.array([], np.int64)], WINDOW, joined=joined)
    assert layout.pack([np.zeros((0, 2), np.float32)], 2).shape == (1, 0, 2)
    assert [len(ends) for ends in layout.ends([np.array([], np.int64)])] == [0]

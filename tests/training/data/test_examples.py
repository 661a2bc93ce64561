"""Which rows train, validate and test: whole windows, known targets, nothing that reaches across a boundary."""

from dataclasses import replace

import numpy as np
import pytest

from features.splits import resolve_split
from training.data.examples import panel_rows
from training.predictors.input_bars import panel_of
from training.tasks import task_of

SYMBOLS = ("AAA", "BBB", "CCC")


@pytest.fixture(scope="module")
def made(tiny_config, make_universe):
    config = tiny_config()
    bars = [*make_universe(SYMBOLS[:2]), *make_universe(SYMBOLS[2:], bars=410)]
    panel = panel_of(bars, bars, config, None, None)

    def make(kind):
        split = resolve_split(panel.dates, config.split, getattr(config, kind).horizon)
        return task_of(kind).examples(panel, split, config), split, config

    return make


@pytest.mark.parametrize("kind", ["direction", "volatility"])
def test_rows_are_whole_windows_with_known_targets_inside_their_part(made, kind):
    examples, split, config = made(kind)
    section, panel = getattr(config, kind), examples.panel
    ends = {"train": split.train_end, "valid": split.valid_end, "test": split.test_end}
    starts = {"train": panel.dates.min(), "valid": split.valid_start, "test": split.test_start}
    for part in ("train", "valid", "test"):
        for i, rows in enumerate(examples.part(part)):
            dates, targets = panel.dates[panel.rows(i)], examples.targets[panel.rows(i)]
            assert len(rows)
            assert rows[0] >= panel.warmup + section.network.window - 1
            assert dates[rows[0]] >= starts[part]
            assert dates[rows[-1] + section.horizon] <= ends[part], "the label reaches into the next part"
            assert np.isfinite(targets[rows]).all()
            assert (targets[rows] >= 0).all()


def test_targets_are_what_they_are_called(made):
    direction, _, config = made("direction")
    panel = direction.panel
    labels, symbol = direction.labels("train")
    at, again = direction.panel_rows(direction.part("train"))
    np.testing.assert_array_equal(symbol, again)
    forward = np.log(panel.close[at + 1] / panel.close[at])
    band = config.direction.label.k * panel.ewma_vol[at]
    np.testing.assert_array_equal(labels, np.where(forward > band, 2, np.where(forward < -band, 0, 1)))
    volatility, _, _ = made("volatility")
    at, _ = volatility.panel_rows(volatility.part("test"))
    future = np.mean([panel.variance[at + h] for h in range(1, 6)], axis=0)
    np.testing.assert_allclose(volatility.targets[at], future)


def test_some_symbols_keep_their_rows(made):
    examples, _, _ = made("direction")
    some = examples.select(("CCC", "AAA"))
    assert some.panel.symbols == ("CCC", "AAA")
    for ours, theirs in ((0, 2), (1, 0)):
        for part in ("train", "valid", "test"):
            np.testing.assert_array_equal(some.part(part)[ours], examples.part(part)[theirs])
        np.testing.assert_array_equal(
            some.targets[some.panel.rows(ours)], examples.targets[examples.panel.rows(theirs)]
        )
    assert examples.select(SYMBOLS) is examples
    assert examples.select(()).rows == ()


def test_rows_of_a_panel_from_rows_of_its_symbols(made):
    panel = made("direction")[0].panel
    at, symbol = panel_rows(panel, [np.array([3, 7]), np.array([], np.int64), np.array([0])])
    assert at.tolist() == [3, 7, 1000]
    assert symbol.tolist() == [0, 0, 2]


def test_reasons_of_symbols_that_cannot_be_fitted(made):
    examples, _, _ = made("direction")
    first, second, third = examples.rows
    panel = replace(examples.panel, close=examples.panel.close.copy())
    panel.close[panel.rows(2)] = 4.0
    rows = (first._replace(train=first.train[:59]), second._replace(valid=second.valid[:9]), third)
    reasons = replace(examples, panel=panel, rows=rows).insufficient_data()
    begun = (
        f"Its bars start on {str(panel.dates[0])[:10]}, too late for the train period, whose dates all symbols share"
    )
    assert reasons.pop("AAA") == (
        f"59 training windows; at least 60 are needed. {begun}; a run of its own splits its own dates"
    )
    assert reasons == {
        "BBB": "9 validation windows; at least 10 are needed",
        "CCC": "the price is constant",
    }
    assert examples.insufficient_data() == {}

"""Outcomes are known when later bars are, and are revised when bars are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from features.bars.schema import SymbolBars
from features.labels import bar_variance, direction_labels, forward_return, volatility_target
from serving.journal.outcomes import current_name, due_outcomes, fill_outcomes, record_outcomes
from serving.journal.predictions import record
from serving.journal.reading import read_predictions
from serving.journal.schema import outcomes

FIRST = "2026-01-05"
NOW = datetime(2026, 2, 1, tzinfo=UTC)


def bars_of(symbol, days, seed=0):
    """Return bars of these days since 5 January 2026."""
    rng = np.random.default_rng([seed, *symbol.encode()])
    dates = (np.datetime64(FIRST) + np.array(days)).astype("datetime64[ns]")
    close = 100.0 * np.exp(np.cumsum(0.01 * rng.normal(size=len(days))))
    opened = close * np.exp(0.002 * rng.normal(size=len(days)))
    high, low = np.maximum(opened, close) * 1.003, np.minimum(opened, close) * 0.997
    return SymbolBars(symbol, dates, opened, high, low, close, np.ones(len(days)), True, False)


def fill(journal, *bars, now=NOW, **options):
    with journal.begin() as connection:
        return fill_outcomes(connection, bars, now, **options)


def read(journal, kind):
    with journal.connect() as connection:
        return read_predictions(connection, kind)


@pytest.fixture
def recorded(journal, make_prediction):
    """A direction of one bar and a volatility of five bars, both of the first day."""
    with journal.begin() as connection:
        return record(connection, [make_prediction("AAA"), make_prediction("AAA", "volatility")])


def test_an_outcome_is_known_after_one_and_five_later_bars(journal, recorded):
    """Bars count, not days: here are only every third day's."""
    bars = bars_of("AAA", range(0, 21, 3))
    assert [fill(journal, bars.first(count)) for count in range(1, 8)] == [0, 1, 0, 0, 0, 1, 0]
    direction, volatility = read(journal, "direction").iloc[0], read(journal, "volatility").iloc[0]
    assert direction["log_return"] == pytest.approx(forward_return(bars.close, 1)[0], rel=1e-12)
    assert volatility["target"] == pytest.approx(volatility_target(bar_variance(bars), 5)[0], rel=1e-12)
    assert (direction["outcome_close"], volatility["outcome_close"]) == (
        datetime(2026, 1, 9, tzinfo=UTC),
        datetime(2026, 1, 21, tzinfo=UTC),
    )


def test_the_label_is_that_of_training(journal, make_prediction):
    from configs import LabelConfig

    days = 40
    bars, band = bars_of("AAA", range(days)), 0.006
    with journal.begin() as connection:
        record(connection, [make_prediction("AAA", day=day, band=band) for day in range(days)])
    assert fill(journal, bars) == days - 1
    labels = direction_labels(bars.close, np.full(days, np.nan), 1, LabelConfig(mode="threshold", threshold=band))
    assert read(journal, "direction")["label"].tolist() == labels.tolist() and set(labels) == {-1, 0, 1, 2}


def test_a_revised_bar_is_a_new_revision_and_what_was_known_before_stays(journal, recorded):
    bars = bars_of("AAA", range(7))
    assert fill(journal, bars) == 2
    revised = replace(bars, close=bars.close * np.where(np.arange(7) == 1, 1.02, 1.0))
    later = NOW + timedelta(days=1)
    assert fill(journal, revised, now=later) == 2 and fill(journal, revised, now=later) == 0
    frame = read(journal, "direction")
    assert frame["revision"].tolist() == [1] and frame["known_at"].tolist() == [later]
    assert frame["log_return"].iloc[0] == pytest.approx(np.log(revised.close[1] / revised.close[0]))
    with journal.connect() as connection:
        before = read_predictions(connection, "direction", known_by=NOW)
        assert len(connection.execute(select(outcomes)).all()) == 4
    assert before["revision"].tolist() == [0]
    assert before["log_return"].iloc[0] == pytest.approx(np.log(bars.close[1] / bars.close[0]))


def test_revisions_are_seen_for_thirty_days_after_the_end_of_the_horizon(journal, recorded):
    """Five weekly bars take longer than that."""
    bars = bars_of("AAA", range(0, 49, 7))
    closed = datetime(2026, 2, 16, tzinfo=UTC)  # of the sixth bar, seven days after its date
    assert fill(journal, bars, now=closed) == 2
    for days, expected in ((29, 1), (31, 0)):  # the direction's horizon ended four weeks before
        revised = replace(bars, close=bars.close * np.where(np.arange(7) == 3, 1.0 + 0.01 * days, 1.0))
        assert fill(journal, revised, now=closed + timedelta(days=days)) == expected
    assert read(journal, "volatility")["revision"].tolist() == [1]


def test_prices_that_a_split_scales_are_no_revision(journal, recorded):
    bars = bars_of("AAA", range(7))
    fill(journal, bars)
    scaled = {name: getattr(bars, name) / 7.0 for name in ("open", "high", "low", "close")}
    assert fill(journal, replace(bars, **scaled)) == 0


def test_a_bar_that_is_missing_again_leaves_the_outcome(journal, recorded):
    bars = bars_of("AAA", range(7))
    fill(journal, bars)
    assert fill(journal, bars.take(np.arange(7) != 0)) == 0 and fill(journal, bars.first(1)) == 0
    assert read(journal, "direction")["revision"].tolist() == [0]


def test_a_delisted_symbol_has_no_outcome_and_the_others_have_theirs(journal, recorded, make_prediction):
    with journal.begin() as connection:
        record(connection, [make_prediction("BBB"), make_prediction("BBB", "volatility")])
    assert fill(journal, bars_of("AAA", range(9)), bars_of("BBB", range(4))) == 3
    assert read(journal, "volatility")["target"].isna().tolist() == [False, True]


def test_a_renamed_symbol_has_the_outcome_of_its_new_bars(journal, recorded):
    assert fill(journal, bars_of("CCC", range(9))) == 0
    assert fill(journal, bars_of("CCC", range(9)), renamed={"AAA": "BBB", "BBB": "CCC"}) == 2
    assert read(journal, "direction")["symbol"].tolist() == ["AAA"]
    assert current_name("X", {"X": "Y", "Y": "X"}) in ("X", "Y")


def test_outcomes_that_two_processes_find_are_written_once(journal, recorded):
    with journal.connect() as connection:
        rows = due_outcomes(connection, [bars_of("AAA", range(7))], NOW)
    for expected in (2, 0):
        with journal.begin() as connection:
            assert record_outcomes(connection, rows) == expected


def test_old_predictions_are_decided_late_but_not_revised(journal, recorded):
    bars, much_later = bars_of("AAA", range(7)), NOW + timedelta(days=200)
    assert fill(journal, bars, now=much_later) == 2
    assert fill(journal, replace(bars, close=bars.close[::-1].copy()), now=much_later) == 0

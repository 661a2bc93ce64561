"""A planted break keeps the bars of a market and takes away their order."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from configs import Config
from configs.errors import DataError
from training.backtesting.forecasts import OutOfSample
from training.backtesting.scrambled import scrambled, scrambled_bars

FIRST = np.datetime64("2015-06-01", "ns")
PRICES = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def bars(make_universe):
    return make_universe(("AAA", "BBB"), bars=200)


def shapes(bars, rows):
    """Return gap, range, body and volume of bars, sorted."""
    before = np.concatenate([[np.nan], bars.close[:-1]])
    found = np.column_stack([*(getattr(bars, name) / before for name in PRICES), bars.volume])[rows]
    return found[np.lexsort(found.T)]


def test_bars_before_stay_and_those_after_come_in_another_order(bars):
    for one in bars:
        row = int(np.searchsorted(one.dates, FIRST))
        found = scrambled_bars(one, FIRST, seed=1)
        for name in (*PRICES, "volume"):
            np.testing.assert_array_equal(getattr(found, name)[:row], getattr(one, name)[:row])
        np.testing.assert_allclose(shapes(found, slice(row, None)), shapes(one, slice(row, None)), rtol=1e-9)
        assert found.close[-1] == pytest.approx(one.close[-1])
        assert np.abs(found.close[row:-1] / one.close[row:-1] - 1).max() > 0.01
        assert (found.high >= np.maximum(found.open, found.close)).all()
        assert (found.low <= np.minimum(found.open, found.close)).all()
        np.testing.assert_array_equal(found.dates, one.dates)
    again = scrambled_bars(bars[0], FIRST, seed=1)
    np.testing.assert_array_equal(again.close, scrambled_bars(bars[0], FIRST, seed=1).close)
    assert (again.close != scrambled_bars(bars[0], FIRST, seed=2).close).any()


def test_symbols_still_move_together(bars):
    first, second = (scrambled_bars(one, FIRST, seed=1) for one in bars)
    row = int(np.searchsorted(first.dates, FIRST))

    def correlation(one, other):
        returns = [np.diff(np.log(each.close[row - 1 :])) for each in (one, other)]
        return np.corrcoef(returns)[0, 1]

    assert correlation(first, second) == pytest.approx(correlation(*bars))


def test_a_day_without_forecasts_on_both_sides_is_refused(bars):
    table = pd.DataFrame({"symbol": "AAA", "date": bars[0].dates[100:150], "forecast": 1e-4})
    found = OutOfSample("forecasts by hand", Config(), tuple(bars), {"volatility": table})
    first, last = (pd.Timestamp(bars[0].dates[row]).date() for row in (100, 149))
    for day in (first, date(2030, 1, 1)):
        with pytest.raises(DataError, match=f"forecasts {first} to {last}"):
            scrambled(found, day, seed=0)
    broken = scrambled(found, last, seed=0)
    assert "scrambled from" in broken.title and broken.tables is found.tables and broken.models is None

"""Bars whose date has not begun anywhere are left out; those of the zone that is furthest ahead are not."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from configs.reading import ReadingConfig
from features.bars.columns import choose_columns
from features.bars.latest import latest_date
from features.bars.reading.parsed import parse_table
from features.bars.validation import check

DAY = datetime(2024, 3, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hour", "zone", "newest"),
    [(9, UTC, "2024-03-06"), (10, UTC, "2024-03-07"), (23, UTC, "2024-03-07"), (18, "west", "2024-03-07")],
)
def test_the_latest_date_is_that_of_the_zone_furthest_ahead(hour, zone, newest):
    now = DAY + timedelta(hours=hour)
    if zone == "west":
        now = now.astimezone(timezone(timedelta(hours=-10)))
    assert latest_date(now).astype("datetime64[D]") == np.datetime64(newest)


@pytest.mark.parametrize(("hour", "lost"), [(9, ["2024-03-07", "2031-01-02"]), (11, ["2031-01-02"])])
def test_a_bar_of_tomorrow_is_left_out_until_it_can_exist(hour, lost):
    dates = ["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2031-01-02"]
    frame = pd.DataFrame({"date": dates, "close": [1.0, 1.1, 1.2, 1.1, 1.3]})
    columns = choose_columns(frame, "X", "the frame", default_symbol=None, reading=ReadingConfig())
    parsed = parse_table(columns, "the frame", ReadingConfig(), None)
    checked, quarantine = check(parsed, now=DAY + timedelta(hours=hour))
    assert quarantine.counts() == {"future_date": len(lost)}
    assert [str(date)[:10] for date in checked.dates] == [date for date in dates if date not in lost]
    assert quarantine.first_of("future_date") == f"X {lost[0]}"

"""Times of day, as text of exporters: each is read as UTC."""

import pytest
from price_files import B, bars, csv, loaded


@pytest.mark.parametrize("zone", ["US/Eastern", "America/New_York"])
def test_intraday_times_with_the_name_of_a_zone_are_utc(tmp_path, zone):
    hours = [f"{day:%Y%m%d} {hour}:30:00 {zone}" for day in B.index[:120] for hour in ("09", "10", "11")]
    (tmp_path / "SPY.csv").write_text(csv(bars(count=360), hours, index_name="date"))
    (found,), source = loaded(tmp_path / "SPY.csv")
    assert str(found.dates[0])[:16] == "2022-01-03T14:30" and str(found.dates[-1])[:16] == "2022-06-17T15:30"
    assert "times: intraday, UTC" in source.read_as["SPY"]


def test_packed_digits_with_a_time_of_day(tmp_path):
    times = [f"{day:%Y%m%d}{hour}3000" for day in B.index[:100] for hour in ("09", "10")]
    (tmp_path / "005930.csv").write_text(csv(bars(count=200), times, index_name="date"))
    ((found,), _) = loaded(tmp_path / "005930.csv")
    assert str(found.dates[1])[:16] == "2022-01-03T10:30" and len(found) == 200

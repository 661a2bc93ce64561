"""Which symbols lack a forecast of their newest bar, where markets have different calendars."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from configs.monitoring import MonitoringConfig
from serving.monitoring.quality import quality_of


def forecasts(**newest):
    """Daily forecasts of symbols up to their newest bar; those named with a capital X trade on weekdays only."""
    rows = []
    for symbol, last in newest.items():
        days = pd.bdate_range(end=last, periods=5) if symbol.startswith("X") else pd.date_range(end=last, periods=5)
        after = pd.offsets.BDay() if symbol.startswith("X") else pd.Timedelta(days=1)
        for day in days:
            close = day.tz_localize("UTC") + (
                pd.Timedelta(hours=21) if symbol.startswith("X") else pd.Timedelta(days=1)
            )
            rows.append({"symbol": symbol, "bar_date": day, "bar_close": close, "target_close": close + after})
    frame = pd.DataFrame(rows)
    never = pd.Series(pd.NaT, frame.index, dtype="datetime64[us, UTC]")
    frame = frame.assign(made_at=frame["bar_close"], end_close=never, label=float("nan"), revision=0.0, times_served=0)
    return frame.assign(is_shadow=False, fallback=False, basis="own")


@pytest.mark.parametrize(
    ("newest", "behind"),
    [
        ({"COIN": "2026-11-29", "XA": "2026-11-27", "XB": "2026-11-27"}, ()),
        ({"COIN": "2026-11-29", "XA": "2026-11-27", "XB": "2026-11-26"}, ("XB",)),
        ({"COIN": "2026-11-30", "XA": "2026-11-27", "XB": "2026-11-30"}, ("XA",)),
        ({"COIN": "2026-11-28", "OTHER": "2026-11-29"}, ("COIN",)),
    ],
)
def test_a_market_that_is_closed_is_not_behind(newest, behind):
    frame = forecasts(**newest)
    now = datetime(2026, 12, 1, tzinfo=UTC) + timedelta(hours=1)
    found = quality_of("direction", frame, frame, 1, MonitoringConfig(), now)
    assert found.behind == behind and found.behind_count == len(behind)
    frame["target_close"] = frame["end_close"]
    older = quality_of("direction", frame, frame, 1, MonitoringConfig(), now).behind
    assert set(behind) < set(older) or behind == older, "without a calendar, older is behind"

"""Quarantined rows: what is shown of them, and tables of several symbols."""

import pandas as pd
from bar_tables import ohlcv, only

from features.bars.quarantine import Quarantine
from features.bars.schema import bars_from_frame


def test_quarantine_shows_the_text_that_could_not_be_read():
    frame = ohlcv().astype(object)
    frame.loc[1, "close"], frame.loc[2, "date"] = "abc", "32 May"
    _, quarantine = only(frame)
    given = quarantine.frame.set_index("rule")["given"]
    assert given["unparsable_number"] == "close='abc'" and given["unparsable_date"] == "date='32 May'"
    assert set(quarantine.frame["symbol"]) == {"X"}


def test_quarantines_can_be_split_by_symbol_and_joined():
    frame = pd.concat([ohlcv(3).assign(symbol=name) for name in "AB"], ignore_index=True)
    frame.loc[[1, 4], "close"] = -1.0
    _, quarantine = bars_from_frame(frame)
    joined = Quarantine.concat([quarantine.of("A"), Quarantine.empty(), quarantine.of("B")])
    pd.testing.assert_frame_equal(joined.frame, quarantine.frame)
    assert Quarantine.concat([]).counts() == {}

"""The embedded prices are real and clean, and opening a source is fast."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from features.sources.embedded import SYMBOLS, EmbeddedSource, embedded_context


def test_embedded_bars_are_real_adjusted_and_clean():
    source = EmbeddedSource()
    bars = {bars.symbol: bars for bars in source.load()}
    assert set(bars) == set(SYMBOLS) and len(source.quarantine) == 0 and source.missing == {}
    assert [len(bars[s]) for s in ("AAPL", "FB", "^GSPC", "^IXIC")] == [3270, 196, 5031, 5031]
    apple = bars["AAPL"]
    split = np.searchsorted(apple.dates, np.datetime64("2005-02-28"))
    # Two-for-one split on 2005-02-28: raw closes fall by half, adjusted ones rise by 0.8 %.
    assert apple.close[split] / apple.close[split - 1] == pytest.approx(1.0083, abs=2e-3)
    assert all(np.abs(np.diff(np.log(b.close))).max() < 0.75 for b in bars.values())


def test_embedded_context_is_long_and_without_blanks():
    context = embedded_context()
    assert list(context) == ["date", "series", "value"] and not context.isna().to_numpy().any()
    spans = context.groupby("series")["date"].agg(["min", "max"])
    assert spans.loc["VIX", "min"] == pd.Timestamp("2014-01-03") and spans.loc["WTI", "max"] == pd.Timestamp(
        "2019-01-03"
    )
    assert context.loc[context["series"] == "VIX", "value"].between(5, 100).all()


@pytest.mark.slow
def test_opening_a_source_imports_no_heavy_package():
    code = (
        "import sys; from features.sources import open_source; from features.store.store import Store;"
        "list(open_source('embedded', Store('.')).load(['IBM'])); open_source('yahoo', Store('.'));"
        "heavy = {'arch', 'yfinance', 'bokeh_sampledata', 'exchange_calendars', 'tensorflow', 'ray'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

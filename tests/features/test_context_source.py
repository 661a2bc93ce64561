"""Market series come with their bars; forecasts from other bars go on without them."""

import numpy as np
import pytest

from configs import load_config
from features.context_source import MissingSeriesError, available_context, load_context
from features.sources import open_source
from features.store.store import Store


def test_the_name_of_a_source_may_be_the_only_one_of_a_list(tmp_path):
    assert (
        open_source(["embedded"], Store(tmp_path)).name == open_source("embedded", Store(tmp_path)).name == "embedded"
    )


def test_forecasts_from_other_bars_use_embedded_series_or_count_them_as_missing(tmp_path, make_bars):
    store, dates = Store(tmp_path / "store"), np.array(["2015-06-01"], "datetime64[ns]")
    (tmp_path / "X.csv").write_text("date,close\n2015-06-01,10\n2015-06-02,11\n")
    source = open_source(str(tmp_path / "X.csv"), store)
    kinds = "data.context.kinds={VIX: level, WTI: price}"
    embedded, own = load_config("smoke", overrides=[kinds]), load_config("smoke", overrides=[kinds, "data.bars=lake"])
    for config in (embedded, own):
        with pytest.raises(MissingSeriesError, match="the lake has no market series"):
            load_context(source, config, store)
    shipped, missing = (available_context(source, config, store) for config in (embedded, own))
    assert np.isfinite(shipped.at(dates)).all()
    assert missing.columns == shipped.columns and np.isnan(missing.at(dates)).all()
    assert available_context(source, load_config("smoke", overrides=["data.context.kinds={}"]), store) is None

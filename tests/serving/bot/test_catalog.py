"""Every task of the catalog declares itself as the loop expects, and fetching fills the lake with partial failures."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.store.lake import Lake
from serving.bot.catalog import catalog, schedules
from serving.bot.schedule import Due, parse_schedule

DUE = Due(datetime(2026, 1, 1, tzinfo=UTC), 0)


@pytest.mark.parametrize("name", catalog())
def test_specs(name):
    spec = catalog()[name]
    assert spec.name == name and spec.title and parse_schedule(spec.schedule)
    order = list(catalog())
    assert all(order.index(one) < order.index(name) for one in spec.after)


def test_tasks_run_in_their_order_and_can_be_off():
    assert list(catalog()) == ["fetch", "scan", "outcomes", "monitoring", "retraining", "alerts", "heartbeat"]
    assert "fetch" not in schedules({"fetch": "off"})
    assert schedules({"scan": "0 6 * * *"})["scan"] == parse_schedule("0 6 * * *")


def bars_file(path, symbols, count):
    dates = pd.bdate_range("2024-01-01", periods=count)
    close = 100.0 + np.arange(count) % 7
    frames = [
        pd.DataFrame(
            {"date": dates, "symbol": name, "open": close, "high": close + 1, "low": close - 1, "close": close}
        )
        for name in symbols
    ]
    pd.concat(frames).to_csv(path, index=False)


def test_fetching_is_incremental_and_reports_symbols_that_fail(make_services, tmp_path):
    file = tmp_path / "bars.csv"
    bars_file(file, ("AAA", "BBB"), 300)
    services = make_services(fetch={"source": str(file), "symbols": ["AAA", "BBB", "CCC"], "start": "2024-01-01"})
    run = catalog()["fetch"].run
    first = run(services, DUE)
    assert first.startswith("600 new bars of 2 symbols; none of CCC, such as CCC: ")
    bars_file(file, ("AAA", "BBB"), 302)
    assert run(services, DUE).startswith("4 new bars of 2 symbols")
    assert run(services, DUE).startswith("0 new bars of 2 symbols")
    assert len(Lake(services.manager.store).read("AAA")) == 302


def test_fetching_without_source_or_symbols(make_services, tmp_path):
    run = catalog()["fetch"].run
    assert "nothing is fetched" in run(make_services(), DUE)
    bars_file(tmp_path / "bars.csv", ("AAA",), 30)
    services = make_services(fetch={"source": str(tmp_path / "bars.csv"), "symbols": ["ZZZ"]})
    with pytest.raises(DataError, match="ZZZ"):
        run(services, DUE)

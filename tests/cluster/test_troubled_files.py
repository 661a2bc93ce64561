"""Files whose prices are off by a factor, or whose bars do not belong with those in the lake, on the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cluster.commands.data import app
from configs.errors import DataError
from features.store.lake import Lake
from features.store.store import Store

PRICES = ["Open", "High", "Low", "Close"]


def frame(rows=500, seed=0, price=900.0, dates=None) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0, 0.012, rows)))
    opened = np.concatenate([[price], close[:-1]]) * np.exp(rng.normal(0, 0.003, rows))
    reach = np.exp(0.006 * rng.random((2, rows)))
    high, low = np.maximum(opened, close) * reach[0], np.minimum(opened, close) / reach[1]
    dates = pd.bdate_range("2019-01-02", periods=rows) if dates is None else dates
    columns = dict(zip(PRICES, (opened, high, low, close), strict=True))
    return pd.DataFrame({"Date": dates, **columns, "Volume": rng.integers(10**5, 10**6, rows).astype(float)})


@pytest.fixture
def run(tmp_path):
    def run(*arguments, fails=False) -> dict:
        store = () if arguments[0] == "remove" else ("--json",)
        command = [*map(str, arguments), "--store", str(tmp_path / "store"), *store]
        if fails:
            with pytest.raises(DataError) as caught:
                CliRunner().invoke(app, command, catch_exceptions=False)
            return str(caught.value)
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.output) if store else {}

    return run


@pytest.fixture
def write(tmp_path):
    def write(table: pd.DataFrame, name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        table.to_csv(path, index=False)
        return path

    return write


@pytest.fixture
def stored(tmp_path):
    return lambda symbol: Lake(Store(tmp_path / "store")).read(symbol)


def steps_of(run, write, table):
    """Return the steps of a file, as both ``import`` and ``inspect`` list them."""
    path = write(table, "EZJ.L.csv")
    (imported,), (seen,), (held,) = (
        run(*words)["symbols"] for words in (("import", path), ("inspect", path), ("inspect",))
    )
    assert imported["steps"] == seen["steps"] == held["steps"] and imported["seam"] == []
    return seen["steps"]


def test_pence_that_become_pounds_for_good_are_told(run, write):
    table = frame()
    table.loc[400:, PRICES] *= 0.01
    (step,) = steps_of(run, write, table)
    assert (step["kind"], step["date"], step["cause"]) == ("step", "2020-07-15", "pence against pounds")
    assert step["ratio"] == pytest.approx(0.01, rel=0.01)


def test_a_low_in_pounds_and_a_lost_decimal_point_are_spikes(run, write):
    low, whole = frame(), frame(seed=1)
    low.loc[400, "Low"] *= 0.01
    whole.loc[400, PRICES] *= 10.0
    ((first,), (second,)) = (steps_of(run, write, table) for table in (low, whole))
    assert (first["kind"], first["fields"], first["date"]) == ("spike", "low", "2020-07-15")
    assert (second["kind"], second["fields"], second["bars"], second["cause"]) == (
        "spike",
        "all",
        1,
        "a lost decimal point",
    )


def test_a_split_that_is_not_applied_is_a_step_of_its_ratio(run, write):
    table = frame()
    table.loc[400:, PRICES] /= 22.0
    table.loc[400:, "Volume"] *= 22.0
    (step,) = steps_of(run, write, table)
    assert step["cause"] == "22:1 split not applied to the bars before" and step["explained"]
    assert step["ratio"] == pytest.approx(1 / 22)


def test_clean_files_have_no_steps(run, write):
    assert steps_of(run, write, frame()) == []


def test_weekly_bars_are_not_woven_into_daily_ones(run, write, stored):
    daily = frame()
    weekly = daily.iloc[4::5]
    run("import", write(daily, "QQQ.csv"))
    before = stored("QQQ")
    message = run("import", write(weekly, "second/QQQ.csv"), fails=True)
    assert "the lake has daily bars (500, 2019-01-02 to 2020-12-01), the given ones are weekly" in message
    assert "--symbol QQQ_weekly" in message and "fleetcast data remove QQQ" in message
    np.testing.assert_array_equal(stored("QQQ").close, before.close)
    run("import", write(weekly, "second/QQQ.csv"), "--symbol", "QQQ_weekly")
    run("remove", "QQQ")
    (seen,) = run("inspect")["symbols"]
    assert (seen["symbol"], seen["period"], seen["gaps"]) == ("QQQ_weekly", "weekly", [])
    assert seen["bars_per_year"] == pytest.approx(52.2)
    assert "'QQQ' is not in the lake" in run("remove", "QQQ", fails=True)


def test_hours_and_minutes_are_not_woven_into_daily_bars_however_few(run, write):
    run("import", write(frame(), "QQQ.csv"))
    hours = pd.date_range("2020-12-02 14:30", periods=6, freq="h")
    message = run("import", write(frame(6, dates=hours), "second/QQQ.csv"), fails=True)
    assert "the lake has daily bars" in message and "intraday" in message


def test_the_same_sessions_at_another_time_of_day_are_not_added(run, write, stored):
    daily = frame()
    run("import", write(daily, "AAPL.csv"))
    late = daily.tail(100).assign(Date=lambda t: t["Date"] + pd.Timedelta(hours=5, minutes=17))
    path = write(
        pd.concat([late, frame(20, seed=3, dates=pd.bdate_range("2020-12-02", periods=20))]), "second/AAPL.csv"
    )
    message = run("import", path, fails=True)
    assert "one day twice (2020-" in message and len(stored("AAPL")) == 500


def test_one_symbol_of_another_period_does_not_stop_the_others(run, write, tmp_path):
    write(frame(), "bars/AAA.csv")
    write(frame(), "bars/BBB.csv")
    run("import", tmp_path / "bars")
    write(frame().iloc[::5], "bars/AAA.csv")
    write(frame(510), "bars/BBB.csv")
    done = run("import", tmp_path / "bars")
    assert [(item["symbol"], item["added"]) for item in done["symbols"]] == [("BBB", 10)]
    assert "weekly" in done["missing"]["AAA"]


def test_a_split_at_the_seam_of_two_imports_is_told(run, write):
    whole = frame(price=400.0)
    whole.loc[480:, PRICES] /= 10.0
    whole.loc[480:, "Volume"] *= 10.0
    run("import", write(whole.iloc[:480], "NVDA.csv"))
    (done,) = run("import", write(whole.iloc[480:], "second/NVDA.csv"))["symbols"]
    (seam,) = done["seam"]
    assert done["added"] == 20 and done["rebased"] == 1.0
    assert seam["date"] == "2020-11-04" and seam["ratio"] == pytest.approx(0.1) and "10:1 split" in seam["cause"]
    (again,) = run("import", write(whole.iloc[480:], "second/NVDA.csv"))["symbols"]
    assert again["added"] == 0 and again["seam"] == []


@pytest.mark.parametrize("common", [1, 3, 40])
def test_a_new_basis_of_the_common_bars_is_applied_kept_or_refused(run, write, stored, common):
    whole = frame(price=400.0)
    newer = whole.iloc[480 - common :].copy()
    newer[PRICES] /= 10.0
    path = write(newer, "second/NVDA.csv")
    run("import", write(whole.iloc[:480], "NVDA.csv"))
    message = run("import", path, "--on-steps", "refuse", fails=True)
    assert f"are 0.1 times the stored ones of the same {common} bars" in message and len(stored("NVDA")) == 480
    (done,) = run("import", path)["symbols"]
    assert done["rebased"] == pytest.approx(0.1) and done["steps"] == []
    np.testing.assert_allclose(stored("NVDA").close, whole["Close"] / 10.0)


def test_two_files_that_do_not_overlap_are_refused_where_the_setting_says_so(run, write, stored):
    whole = frame(price=400.0)
    whole.loc[480:, PRICES] /= 10.0
    run("import", write(whole.iloc[:480], "NVDA.csv"))
    message = run("import", write(whole.iloc[480:], "second/NVDA.csv"), "--on-steps", "refuse", fails=True)
    assert "the price steps where the given bars meet the stored ones (×0.1 from 2020-11-04" in message
    assert len(stored("NVDA")) == 480


def test_a_few_revised_bars_are_no_new_basis(run, write, stored):
    whole = frame()
    run("import", write(whole, "X.csv"))
    revised = whole.iloc[100:103].copy()
    revised[PRICES] *= 10.0
    (done,) = run("import", write(revised, "second/X.csv"))["symbols"]
    assert done["rebased"] == 1.0 and done["revised"] == 3 and done["steps"][0]["bars"] == 3
    np.testing.assert_allclose(stored("X").close[200:], whole["Close"][200:])


def test_coins_are_daily_around_the_clock(run, write):
    days = pd.date_range("2021-01-01", periods=700)
    (seen,) = run("inspect", write(frame(700, dates=days), "BTC-USD.csv"))["symbols"]
    assert (seen["period"], seen["calendar"], seen["bars_per_year"], seen["gaps"]) == ("daily", "24/7", 365.0, [])


def test_suspended_days_that_repeat_a_price_are_stale(run, write):
    table = frame()
    table.loc[200:230, PRICES] = table.loc[199, "Close"]
    table.loc[200:230, "Volume"] = 0.0
    table.loc[300:302, PRICES] = table.loc[299, "Close"]
    table.loc[300:302, "Volume"] = 0.0
    (seen,) = run("inspect", write(table, "SUSP.csv"))["symbols"]
    assert seen["stale"] == [{"first": "2019-10-09", "last": "2019-11-20", "bars": 31}] and seen["steps"] == []
    suspended = table.assign(Volume=table["Volume"].replace(0.0, np.nan))
    (blank,) = run("inspect", write(suspended, "SUSP.csv"))["symbols"]
    assert [stale["bars"] for stale in blank["stale"]] == [31]


def test_a_zero_date_is_a_placeholder(run, write):
    table = frame()
    first = table.iloc[:1].assign(Date=pd.Timestamp("1899-12-30"), Open=1.0, High=1.0, Low=1.0, Close=1.0)
    seen = run("inspect", write(pd.concat([first, table]), "X.csv"))
    assert seen["quarantined"] == {"placeholder_date": 1}
    assert seen["symbols"][0]["first"] == "2019-01-02" and seen["symbols"][0]["rows"] == 500
    old = frame(dates=pd.bdate_range("1969-12-01", periods=500))
    assert run("inspect", write(old, "X.csv"))["quarantined"] == {}, "the first day of 1970 was one of trading"


def test_bars_whose_open_is_zero_are_kept(run, write, stored):
    table = frame()
    table.loc[:250, "Open"] = 0.0
    imported = run("import", write(table.sample(frac=1.0, random_state=0), "^GSPC.csv"))
    assert imported["quarantined"] == {"missing_open": 251} and imported["symbols"][0]["added"] == 500
    bars = stored("^GSPC")
    np.testing.assert_allclose(bars.close, table["Close"])
    inside = np.clip(table["Close"].shift(1), table["Low"], table["High"])
    np.testing.assert_allclose(bars.open[1:251], inside[1:251])
    np.testing.assert_allclose(bars.open[251:], table["Open"][251:])
    (seen,) = run("inspect")["symbols"]
    assert seen["steps"] == [] and seen["quarantined"] == 0

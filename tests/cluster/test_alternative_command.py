"""``fleetcast data import --kind`` and ``inspect --alternative``."""

import json

import pandas as pd
import pytest
from option_chains import chain_of
from typer.testing import CliRunner

from cluster.commands.data import app
from configs.errors import ConfigError, DataError
from features.store.alternative import AlternativeLake
from features.store.option_figures import OptionFigures
from features.store.store import Store

pytestmark = pytest.mark.slow

MACRO = """series,date,value,known_from
CPIAUCSL,2019-12-01,258.444,2020-01-14T08:30-05:00
CPIAUCSL,2020-01-01,258.820,2020-02-13T08:30-05:00
CPIAUCSL,2020-01-01,258.906,2021-02-10T08:30-05:00
CPIAUCSL,2020-02-01,n.a.,2020-03-11T08:30-04:00
FEDFUNDS,2020-02-01,1.58,
MINE,2020-02-01,1,
"""
NEWS = 'published_at,ticker,headline\n2012-05-01T16:21:59-04:00,AAPL,"Profit <b>rose</b> 🚀, again"\n'
CHAIN = "symbol,quoted_at,expiry,strike,type,bid\nAAPL,2020-01-03T16:00-05:00,2020-02-21,300,c,5\n"


def run(*arguments, **options) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False, **options)
    assert result.exit_code == 0, result.output
    return result.output


def test_files_of_every_kind_are_imported_once_and_inspected(tmp_path):
    for name, text in (("macro", MACRO), ("news", NEWS), ("chain", CHAIN)):
        (tmp_path / f"{name}.csv").write_text(text)
    store = ("--store", tmp_path / "store", "--json")
    macro = ("import", tmp_path / "macro.csv", "--kind", "macro", *store)
    first, again = json.loads(run(*macro)), json.loads(run(*macro))
    assert (first["added"], again["added"]) == ({"series": 4}, {"series": 0})
    assert first["refused"] == again["refused"] == {"no_publication_time": 1, "not_a_number": 1}
    assert any("FEDFUNDS" in line and "revised values" in line for line in first["read_as"])
    own = json.loads(run(*macro, "--lag-days", "MINE=30"))
    assert own["added"] == {"series": 1}
    news = json.loads(run("import", tmp_path / "news.csv", "--kind", "text", *store))
    assert news["added"] == {"text": 1} and news["without_bars"] == ["AAPL"]
    assert json.loads(run("import", tmp_path / "chain.csv", "--kind", "options", *store))["added"] == {"options": 1}
    seen = json.loads(run("inspect", "--alternative", *store))
    rows = {row["name"]: row for row in seen["rows"]}
    assert (rows["CPIAUCSL"]["most_vintages"], rows["CPIAUCSL"]["rows"], rows["CPIAUCSL"]["stopped"]) == (2, 3, False)
    assert rows["FEDFUNDS"]["revised_values"] and not rows["MINE"]["revised_values"]
    assert rows["news"]["symbol"] == "AAPL" and seen["refused"]["not_a_number"] == 1
    text = run("inspect", "--alternative", "--store", tmp_path / "store", env={"COLUMNS": "160"})
    assert "CPIAUCSL" in text and "(market)" in text and "revised values" in text


def test_refused_rows_are_counted_listed_and_found_in_a_file(tmp_path):
    (tmp_path / "macro.csv").write_text(MACRO)
    store = ("--store", tmp_path / "store")
    imported = run("import", tmp_path / "macro.csv", "--kind", "macro", *store)
    folder = tmp_path / "store" / "lake" / "alternative" / "quarantine"
    assert f"refused rows are in {folder}/ (series.parquet); fleetcast data inspect --alternative --refused" in imported
    plain, listed = run("inspect", "--alternative", *store), run("inspect", "--alternative", "--refused", *store)
    assert str(folder) in plain and listed.startswith(plain)
    assert 'series of macro, not_a_number: {"series": "CPIAUCSL", "period": "2020-02-01", "value": "n.a."' in listed
    assert listed.count("series of macro, ") == len(pd.read_parquet(folder / "series.parquet")) == 2
    found = json.loads(run("inspect", "--alternative", "--refused", *store, "--json"))
    assert found["refused_in"] == str(folder) and len(found["refused_rows"]) == 2
    assert {row["rule"] for row in found["refused_rows"]} == {"not_a_number", "no_publication_time"}
    with pytest.raises(ConfigError, match="--refused is of other data; add --alternative"):
        run("inspect", "--refused", *store)


def test_what_cannot_be_known_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "x.csv").write_text("date,value\n2020-01-01,1\n")
    store = ("--store", tmp_path / "store")
    for options, error, message in (
        (("--kind", "macro"), DataError, "--lag-days x=DAYS"),
        (("--kind", "text"), DataError, "missing: published_at"),
        (("--kind", "rumours"), ConfigError, "expected one of text, macro, options, series, events"),
        (("--kind", "macro", "--lag-days", "x"), ConfigError, "expected NAME=DAYS"),
    ):
        with pytest.raises(error, match=message):
            run("import", tmp_path / "x.csv", *options, *store)
    assert "no alternative data" in run("inspect", "--alternative", *store)


def test_options_that_files_of_a_kind_would_ignore_are_refused_and_nothing_is_imported(tmp_path):
    (tmp_path / "macro.csv").write_text(MACRO)
    store = ("--store", tmp_path / "store")
    for option in (("--dry-run",), ("--columns", "date=d"), ("--decimal", ","), ("--symbol", "A"), ("--period", "1d")):
        with pytest.raises(ConfigError, match=f"{option[0]} reads bars"):
            run("import", tmp_path / "macro.csv", "--kind", "macro", *option, *store)
    with pytest.raises(ConfigError, match="--lag-days is of series"):
        run("import", tmp_path / "macro.csv", "--lag-days", "MINE=3", *store)
    assert not (tmp_path / "store").exists()


def test_dates_with_the_day_first_are_read_once_their_format_is_given(tmp_path):
    (tmp_path / "macro.csv").write_text("series,date,value,known_from\nMINE,01/02/2020,1,03/02/2020 08:30-05:00\n")
    command = ("import", tmp_path / "macro.csv", "--kind", "macro", "--store", tmp_path / "store", "--json")
    with pytest.raises(
        DataError, match=r"Say which it is: --date-format %d/%m/%Y or %m/%d/%Y of fleetcast data import"
    ):
        run(*command)
    with pytest.raises(DataError, match=r"period '01/02/2020' is not written as --date-format %d.%m.%Y says"):
        run(*command, "--date-format", "%d.%m.%Y")
    assert json.loads(run(*command, "--date-format", "%d/%m/%Y"))["added"] == {"series": 1}
    row = AlternativeLake(Store(tmp_path / "store")).read_all("series").iloc[0]
    assert str(row["period"])[:10] == "2020-02-01" and str(row["known_from"]) == "2020-02-03 13:30:00+00:00"


@pytest.mark.parametrize("kind", [(), ("--kind", "macro")])
@pytest.mark.parametrize("wrong", ["%Q", "%", "day first"])
def test_a_format_that_is_none_is_refused_for_bars_and_other_data_alike(tmp_path, kind, wrong):
    (tmp_path / "x.csv").write_text("date,close\n01/02/2020,1\n")
    with pytest.raises(
        ConfigError, match=r"--date-format has value '.*'; expected how a date is written, such as %d/%m"
    ):
        run("import", tmp_path / "x.csv", *kind, "--date-format", wrong, "--store", tmp_path / "store")


def test_an_inspection_of_some_symbols_is_whole_on_80_columns(tmp_path):
    names = ("put_call_open_interest", "weather_Chicago_temperature")
    rows = [
        f"{name},{symbol},2020-01-0{d},1,2020-01-0{d + 1}"
        for name in names
        for symbol in ("AAPL", "KO")
        for d in (1, 2)
    ]
    (tmp_path / "m.csv").write_text("\n".join(["series,symbol,period,value,known_from", *rows]))
    store = ("--store", tmp_path / "store")
    run("import", tmp_path / "m.csv", "--kind", "series", *store)
    text = run("inspect", "--alternative", "KO", *store, env={"COLUMNS": "80"})
    assert "AAPL" not in text and all(f"KO {name} " in text for name in names) and "2020-01-02" in text
    with pytest.raises(DataError, match="no alternative data of NONE"):
        run("inspect", "--alternative", "NONE", *store)
    assert "series of 2 symbols" in run("list", *store, env={"COLUMNS": "160"})


def test_an_import_of_chains_reports_what_is_derived_and_refuses_a_second_method(tmp_path):
    chain = chain_of(half_spread=0.01, symbol="AAPL", volume=3)
    chain.loc[chain["strike"] == 70.0, "bid"] = 0.0
    chain.loc[0, "ask"] = -1.0
    chain.to_csv(tmp_path / "chain.csv", index=False)
    daily = (
        "symbol,known_from,iv30,atm_iv30\nAAPL,2024-04-08T16:00-04:00,0.5,0.5\nMSFT,2024-04-08T16:00-04:00,0.4,0.4\n"
    )
    (tmp_path / "daily.csv").write_text(daily)
    store = ("--kind", "options", "--store", tmp_path / "store", "--json")
    first, again = (json.loads(run("import", tmp_path / "chain.csv", *store)) for _ in range(2))
    assert first["added"] == {"options": 329} and first["refused"] == {"unusable_quote": 1}
    lines = "\n".join(first["read_as"])
    assert "1 snapshot, 1 with iv30; 160 of 329 quotes inverted" in lines and "5 parity" in lines
    assert "10 quotes not inverted: the bid is zero or negative (zero_bid)" in lines
    assert again["added"] == {"options": 0} and again["read_as"] == []
    vendor = json.loads(run("import", tmp_path / "daily.csv", *store))
    assert vendor["added"] == {"series": 3} and vendor["refused"] == {"derived_from_chains": 1}
    chain.assign(symbol="MSFT").to_csv(tmp_path / "chain.csv", index=False)
    other = json.loads(run("import", tmp_path / "chain.csv", *store))["read_as"]
    assert other[-1] == "imported daily figures are used, not those of the chains: MSFT iv30"
    chain_of(days=(14,), symbol="KO").to_csv(tmp_path / "chain.csv", index=False)
    near = json.loads(run("import", tmp_path / "chain.csv", *store))["read_as"]
    assert any("1 snapshot without iv30, which needs" in line for line in near)
    seen = json.loads(run("inspect", "--alternative", *store[2:]))["rows"]
    rows = {(row["symbol"], row["name"]): row for row in seen if row["table"] == "series"}
    assert rows["AAPL", "iv30"]["sources"] == ["chain (implied 1)"] and rows["AAPL", "chain_quotes"]["rows"] == 1
    assert rows["AAPL", "atm_iv30"]["sources"] == rows["MSFT", "iv30"]["sources"] == ["daily"]


def test_a_wrong_import_is_removed_and_replaced(tmp_path):
    store = ("--store", tmp_path / "store", "--json")
    (tmp_path / "m.csv").write_text("series,date,value\nA,2020-01-01,1\nB,2020-01-01,2\n")
    (tmp_path / "x.csv").write_text("symbol,series,date,value,known_from\nKO,A,2020-01-01,3,2020-01-05\n")
    wrong = ("import", tmp_path / "m.csv", "--kind", "macro", "--lag-days", "A=2", "--lag-days", "B=2", *store)
    assert json.loads(run(*wrong))["added"] == {"series": 2}
    run("import", tmp_path / "x.csv", "--kind", "series", *store)
    with pytest.raises(DataError, match="no imported rows of C"):
        run("remove", "--alternative", "(market) A", "C", *store)
    assert json.loads(run("remove", "--alternative", "(market) A", *store)) == {"removed": {"(market) A": 1}}
    run("import", tmp_path / "m.csv", "--kind", "macro", "--lag-days", "A=40", "--lag-days", "B=2", *store)
    rows = {(row["symbol"], row["name"]): row for row in json.loads(run("inspect", "--alternative", *store))["rows"]}
    assert {key: row["median_lag_days"] for key, row in rows.items()} == {
        ("", "A"): 40.0,
        ("", "B"): 2.0,
        ("KO", "A"): 5.0,
    }
    run("remove", "--alternative", "KO A", "B", "A", *store)
    assert json.loads(run("list", *store))["alternative"]["series"] == []


def test_chains_that_replace_removed_ones_are_derived_again(tmp_path):
    store = ("--store", tmp_path / "store", "--json")
    imported = ("import", tmp_path / "chain.csv", "--kind", "options", *store)
    lake = AlternativeLake(Store(str(tmp_path / "store")))
    found = []
    for shift in (0.0, 1.0):  # as many quotes at the same time, with other prices
        chain = chain_of(half_spread=0.01, symbol="AAPL")
        chain[["bid", "ask"]] += shift
        chain.to_csv(tmp_path / "chain.csv", index=False)
        run(*imported)
        figures = OptionFigures(lake).read("AAPL")
        found.append(float(figures["value"][figures["series"] == "iv30"].iloc[0]))
        run("remove", "--alternative", "AAPL option chains", *store)
    assert found[0] < found[1] and OptionFigures(lake).read_all().empty

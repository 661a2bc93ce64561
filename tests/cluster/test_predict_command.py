"""``fleetcast predict``: the forecasts that serve would answer, as a table or a file."""

import json
import shutil

import pandas as pd
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(smoke_store, tmp_path_factory):
    """A store with models of two embedded symbols."""
    return str(shutil.copytree(smoke_store, tmp_path_factory.mktemp("predict") / "store"))


def test_the_table_names_the_bars_and_the_age(call, store):
    done = call("predict", "--store", store)
    assert done.code == 0
    assert "over the next bar (to 2013-03-04)" in done.out and "over the next 5 bars (to 2013-03-08)" in done.out
    assert "AAPL    2013-03-01" in done.out and "bars end on 2013-03-01" in done.out
    assert max(len(line) for line in done.out.splitlines() if not line.startswith("note: ")) <= 80


def test_files_hold_what_the_engine_answers(call, store, tmp_path):
    from serving import PredictionEngine, PredictionRequest

    csv, parquet = tmp_path / "found.csv", tmp_path / "found.parquet"
    done = call("predict", "--store", store, "--csv", str(csv), "--parquet", str(parquet))
    assert done.code == 0 and str(csv) in done.err
    with PredictionEngine(store, follow=False) as engine:
        ours = engine.predict_single(PredictionRequest(symbol="IBM"))
    for table in (pd.read_csv(csv), pd.read_parquet(parquet).reset_index()):
        row = table.set_index("symbol").loc["IBM"]
        assert row["volatility"] == pytest.approx(ours.volatility.annualised)
        assert row["up"] == pytest.approx(ours.direction.probabilities.up)
        assert row["label_set"] == "|".join(ours.direction.label_set)
    done = call("predict", "--store", store, "--symbols", "IBM", "--json", "-")
    (one,) = json.loads(done.out)
    assert one["volatility"]["annualised"] == pytest.approx(ours.volatility.annualised)


def test_a_day_in_the_past_uses_bars_up_to_it_and_says_what_the_fit_has_seen(call, store):
    done = call("predict", "--store", store, "--symbols", "AAPL", "--at", "2012-06-30", "--json", "-")
    (one,) = json.loads(done.out)
    assert one["as_of"] == "2012-06-29T00:00:00" and one["stale"] is False
    assert sum("this forecast is not out of sample" in note for note in one["notes"]) == 2
    newest = json.loads(call("predict", "--store", store, "--symbols", "AAPL", "--json", "-").out)[0]
    assert not any("out of sample" in note for note in newest["notes"])


def test_symbols_without_a_model_in_given_bars_get_pooled_forecasts(call, store, tmp_path, make_universe):
    folder = tmp_path / "prices"
    folder.mkdir()
    for one in make_universe(("NEW", "OTHER"), bars=400):
        columns = {name: getattr(one, name) for name in ("open", "high", "low", "close", "volume")}
        pd.DataFrame({"date": one.dates, **columns}).to_csv(folder / f"{one.symbol}.csv", index=False)
    done = call("predict", "--store", store, "--bars", str(folder), "--symbols", "NEW,OTHER", "--json", "-")
    assert done.code == 0
    found = json.loads(done.out)
    everything = call("predict", "--store", store, "--bars", str(folder))
    lines = everything.out.splitlines()
    assert [line.split()[0] for line in lines[3:5]] == ["NEW", "OTHER"] and lines[3].endswith("pooled")
    assert everything.code == 0 and "AAPL" not in everything.out, "only what the given bars have"
    assert {(one["symbol"], one["volatility"]["basis"], one["direction"]["basis"]) for one in found} == {
        ("NEW", "pooled", "pooled"),
        ("OTHER", "pooled", "pooled"),
    }
    files = [str(path) for path in sorted(folder.glob("*.csv"))]
    expanded = call("predict", "--store", store, "--symbols", "NEW,OTHER", "--json", "-", "--bars", *files)
    assert json.loads(expanded.out) == found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--at", "yesterday"], "--at 'yesterday' is not a day. Give one such as 2018-12-31."),
        (["--kinds", "price"], "--kinds 'price' is not a kind of model. Give direction or volatility."),
        (["--csv", "/nosuch/folder/x.csv"], "--csv '/nosuch/folder/x.csv' cannot be written"),
        (["--alias", "nosuch"], "nosuch"),
    ],
)
def test_bad_options_are_one_line(call, store, options, message):
    done = call("predict", "--store", store, *options)
    assert done.code == 2 and message in done.err and len(done.err.strip().splitlines()) == 1


def test_an_unknown_symbol_is_named_and_the_others_are_shown(call, store):
    done = call("predict", "--store", store, "--symbols", "aapl,IBM")
    assert done.code == 1 and "did you mean AAPL?" in done.out and "IBM" in done.out


def test_a_kind_that_the_store_does_not_have_is_one_line(call, store, tmp_path):
    shutil.copytree(store, tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / "models" / "direction")
    done = call("predict", "--store", str(tmp_path / "store"), "--kinds", "direction")
    assert done.code == 2 and "holds no direction model. Make one with `fleetcast train`." in done.err
    assert len(done.err.strip().splitlines()) == 1
    done = call("predict", "--store", str(tmp_path / "store"), "--kinds", "volatility", "--json", "-")
    assert done.code == 0 and {one["symbol"] for one in json.loads(done.out)} == {"AAPL", "IBM"}


def test_a_kind_without_a_champion_is_one_note_and_the_other_is_forecast(call, store, tmp_path):
    shutil.copytree(store, tmp_path / "store")
    (tmp_path / "store" / "models" / "direction" / "aliases.json").unlink()
    command = ("predict", "--store", str(tmp_path / "store"), "--json", "-")
    done = call(*command, "--symbols", "AAPL")
    (one,) = json.loads(done.out)
    assert done.code == 0 and one["error"] is None and one["volatility"] and one["direction"] is None
    (note,) = (line for line in done.err.splitlines() if line.startswith("note: "))
    assert "direction is not forecast: it has no champion" in note and "fleetcast models promote" in note
    assert call(*command, "--kinds", "direction,volatility").code == 1, "it was asked for"
    refused = call(*command, "--kinds", "direction")
    assert refused.code == 2 and "direction has no champion. Choose one of: latest, " in refused.err

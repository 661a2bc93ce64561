"""`fleetcast journal`: what is in the database, its export, old rows, and its tables."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from serving.journal import open_journal
from serving.journal.predictions import PredictionRow, record

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def store(sqlite_template, tmp_path):
    """A store whose journal has two predictions, of which one is old."""
    shutil.copyfile(sqlite_template, tmp_path / "journal.db")
    bar = {"kind": "direction", "horizon_bars": 1, "version": "v1", "made_at": NOW, "made_by": "test", "close": 1.0}
    times = {"AAA": NOW, "BBB": NOW - timedelta(days=400)}
    with open_journal(store=tmp_path) as journal, journal.begin() as connection:
        record(connection, [PredictionRow(symbol=s, bar_date=at, bar_close=at, **bar) for s, at in times.items()])
    return ("--store", str(tmp_path))


def test_it_shows_rows_and_versions(call, store):
    done = call("journal", "show", *store)
    assert done.code == 0 and "predictions 2" in done.out
    days = [f"{NOW - timedelta(days=400):%Y-%m-%d}", f"{NOW:%Y-%m-%d}"]
    assert done.out.split("\n\n")[1].split() == [
        *("version", "kind", "symbols", "predictions", "outcomes", "served", "first", "bar"),
        *("v1", "direction", "2", "2", "0", "0", days[0], "version", "last", "bar", "v1", days[1]),
    ]
    document = json.loads(call("journal", "show", *store, "--json").out)["journal"]
    assert document["rows"]["predictions"] == 2
    assert document["predictions"][0]["symbols"] == 2 and document["predictions"][0]["outcomes"] == 0


def test_it_exports_tables_since_a_day(call, store, tmp_path):
    since = (NOW - timedelta(days=2)).strftime("%Y-%m-%d")
    done = call("journal", "export", str(tmp_path / "out"), "--tables", "predictions", "--since", since, *store)
    assert done.code == 0 and done.out.startswith("1 row written")
    assert pq.read_table(tmp_path / "out" / "predictions.parquet")["symbol"].to_pylist() == ["AAA"]


def test_it_deletes_old_rows(call, store):
    day = f"{datetime.now(UTC) - timedelta(days=30):%Y-%m-%d}"
    counted = call("journal", "prune", "--keep-days", "30", "--dry-run", *store).out
    assert f"1 row of before {day} would be deleted: predictions 1\n" in counted and "keeps its size" not in counted
    assert json.loads(call("journal", "prune", "--keep-days", "30", "--json", *store).out)["rows"]["predictions"] == 1
    assert call("journal", "prune", "--set", "journal.keep_days=30", *store).out == f"0 rows of before {day} deleted\n"


def test_it_says_what_deleted_predictions_mean(call, store):
    said = call("journal", "prune", "--keep-days", "30", *store).out
    assert "measure their skill without" in said and "keeps its size" in said


def test_it_makes_the_tables(call, tmp_path):
    store = ("--store", str(tmp_path / "new"))
    assert "made: version" in call("journal", "upgrade", *store).out
    assert "already has version" in call("journal", "upgrade", *store).out
    assert call("journal", "show", *store).out.endswith("no rows yet\n")


def test_mistakes_are_one_line(call, store, tmp_path):
    folder = str(tmp_path / "out")
    for arguments, says in (
        (("show", "--store", str(tmp_path / "nothing")), "no journal"),
        (("show", "--database", "postgresql://me:secret@127.0.0.1:1/x"), "does not answer"),
        (("prune", *store), "--keep-days"),
        (("export", folder, "--tables", "x", *store), "no table"),
        (("export", folder, "--tables", "prediction", *store), "Did you mean 'predictions'?"),
        (("export", folder, "--since", "yesterday", *store), "not a day"),
        (("upgrade", "--database", "mysql://x/y"), "of mysql"),
    ):
        done = call("journal", *arguments)
        assert done.code == 2 and says in done.err and done.err.count("\n") == 1 and "secret" not in done.err, done

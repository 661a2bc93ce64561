"""Bars in files on a disk and in a bucket: one file, a folder, a glob."""

import gzip
from datetime import date

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.bars.merge import fingerprint
from features.sources import open_source
from features.sources.files import FileSource
from features.store.store import Store


def table(rows: int = 5, base: float = 10.0, first: str = "2024-01-01") -> pd.DataFrame:
    close = base + np.arange(rows)
    dates = pd.date_range(first, periods=rows).strftime("%Y-%m-%d")
    return pd.DataFrame(
        {
            "Date": dates,
            "Open": close,
            "High": close + 1,
            "Low": close - 1,
            "Close": close,
            "Volume": np.arange(rows) + 1,
        }
    )


def loaded(source, *arguments):
    return {bars.symbol: bars for bars in source.load(*arguments)}


def test_symbols_are_yielded_file_by_file_unless_two_files_have_them(tmp_path):
    for name, symbols in (("a", "ABC"), ("b", "DE"), ("c", "CF")):
        frame = pd.concat(
            [table(base=10.0 + ord(s), first=f"2024-0{ord(name) - 96}-01").assign(Ticker=s) for s in symbols]
        )
        frame.to_parquet(tmp_path / f"{name}.parquet") if name == "a" else frame.to_csv(tmp_path / f"{name}.csv")
    source, opened = FileSource(str(tmp_path)), []
    for bars in source.load():
        opened.append((bars.symbol, len(bars)))
        if bars.symbol == "B":
            (tmp_path / "b.csv").unlink()  # the first file was yielded before the second is read
    assert opened == [("A", 5), ("B", 5), ("F", 5), ("C", 10)]
    assert list(source.missing) == [str(tmp_path / "b.csv")]


def test_files_in_a_bucket_give_the_same_bars_as_on_a_disk(tmp_path, s3):
    table().to_csv(tmp_path / "AAPL.csv", index=False)
    table(base=20).to_csv(tmp_path / "brk.b.csv.gz", index=False)
    table(base=40).to_parquet(tmp_path / "IBM.parquet")
    both = pd.concat([table(base=base).assign(Ticker=ticker) for ticker, base in (("A", 1.0), ("NA", 2.0))])
    both.to_parquet(tmp_path / "two.parquet")
    store = Store(s3)
    for path in tmp_path.iterdir():
        store.write(f"prices/{path.name}", path.read_bytes())
    store.write("prices/notes.md", b"no bars")
    here, there = loaded(open_source(str(tmp_path), store)), loaded(open_source(f"{s3}/prices", store))
    assert sorted(here) == ["A", "AAPL", "IBM", "NA", "brk.b"]
    assert {symbol: fingerprint(bars) for symbol, bars in there.items()} == {s: fingerprint(b) for s, b in here.items()}
    assert list(loaded(open_source(f"{s3}/prices/*.parquet", store))) == ["IBM", "A", "NA"]
    source = open_source(f"{s3}/prices/AAPL.csv", store)
    before = source.stamp()
    assert list(loaded(source)) == ["AAPL"]
    store.write("prices/AAPL.csv", table(6).to_csv(index=False).encode())
    assert source.stamp() != before
    for spec, problem in ((f"{s3}/nowhere", "has no bars"), (f"{s3}/*/x.csv", "pattern among its folders")):
        with pytest.raises(DataError, match=problem):
            open_source(spec, store)


def test_a_folder_has_one_symbol_per_file(tmp_path):
    table().to_csv(tmp_path / "AAPL.csv", index=False)
    table(base=20).to_csv(tmp_path / "brk.b.csv.gz", index=False)
    table(base=30).to_csv(tmp_path / "^GSPC.txt", index=False, sep=";")
    table(base=40).to_parquet(tmp_path / "IBM.parquet")
    (tmp_path / "README.md").write_text("no bars")
    bars = loaded(FileSource(str(tmp_path)))
    assert {symbol: b.close[0] for symbol, b in bars.items()} == {"AAPL": 10, "brk.b": 20, "^GSPC": 30, "IBM": 40}


def test_a_bad_file_is_reported_and_the_other_files_are_read(tmp_path):
    table().to_csv(tmp_path / "GOOD.csv", index=False)
    (tmp_path / "EMPTY.csv").write_text("")
    (tmp_path / "HEAD.csv").write_text("Date,Close\n")
    (tmp_path / "BYTES.csv").write_bytes(b"Date,Close\n2024-01-01,\xff\xfe\n")
    (tmp_path / "FAKE.parquet").write_bytes(b"not parquet")
    (tmp_path / "CUT.csv.gz").write_bytes(gzip.compress(table(500).to_csv().encode())[:200])
    table().drop(columns="Low").to_csv(tmp_path / "NOLOW.csv", index=False)
    source = FileSource(str(tmp_path))
    assert list(loaded(source)) == ["GOOD"]
    assert set(source.missing) == {"EMPTY", "HEAD", "BYTES", "FAKE", "CUT", "NOLOW"}
    assert all("\n" not in reason for reason in source.missing.values())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"Date,Close\n", "no rows"),
        ("a.csv", b"Date,Open\n2024-01-01,1\n", "no column for"),
        ("a.csv", b"Date,Close\nx,1\ny,2\n", "no date can be read"),
        ("a.csv", b"Date,Close\n2024-01-01,1,2,3\n", "cannot be read"),
        ("a.csv", b"\x00\xff\xfe\x00", "cannot be read"),
        ("a.parquet", b"PAR1", "cannot be read"),
    ],
)
def test_one_bad_file_is_one_clear_error(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        loaded(FileSource(str(tmp_path / name)))
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_all_files_bad_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(DataError, match="no file of"):
        loaded(FileSource(str(tmp_path)))


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_a_long_file_gives_only_the_requested_symbols(tmp_path, suffix):
    frame = pd.concat(
        [table(base=b).assign(ticker=s) for s, b in (("A", 10.0), ("B", 20.0), ("NA", 30.0), ("001", 40.0))]
    )
    path = tmp_path / f"long.{suffix}"
    frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    assert list(loaded(FileSource(str(path)))) == ["001", "A", "B", "NA"]
    source = FileSource(str(path))
    bars = loaded(source, ["NA", "001", "ZZ"], date(2024, 1, 2), date(2024, 1, 3))
    assert {s: b.close.tolist() for s, b in bars.items()} == {"001": [41, 42], "NA": [31, 32]}
    assert list(source.missing) == ["ZZ"]
    assert loaded(source, ["ZZ"]) == {} and list(source.missing) == ["ZZ"]


def test_a_symbol_of_two_files_is_joined_and_conflicts_keep_the_first(tmp_path):
    late = table(first="2024-01-04").assign(symbol="A")
    late.loc[0, "Close"] += 0.5
    table().assign(symbol="A").to_csv(tmp_path / "2023.csv", index=False)
    late.to_csv(tmp_path / "2024.csv", index=False)
    source = FileSource(str(tmp_path / "*.csv"))
    (bars,) = loaded(source).values()
    assert len(bars) == 8 and bars.close[3] == 13.0
    assert source.quarantine.counts() == {"duplicate_date": 2}


def test_files_written_from_yfinance_frames_are_read(tmp_path):
    index = pd.DatetimeIndex(table()["Date"], name="Date")
    one = table().drop(columns="Date").set_index(index)
    frame = pd.concat({"AAPL": one, "MSFT": one * 2}, axis=1, names=["Ticker", "Price"]).swaplevel(axis=1)
    frame.to_csv(tmp_path / "yahoo.csv")
    frame.to_parquet(tmp_path / "yahoo.parquet")
    for name in ("yahoo.csv", "yahoo.parquet"):
        bars = loaded(FileSource(str(tmp_path / name)))
        assert list(bars) == ["AAPL", "MSFT"] and bars["MSFT"].close.tolist() == (table()["Close"] * 2).tolist()


@pytest.mark.slow
def test_a_column_whose_type_changes_below_the_first_megabyte_is_read(tmp_path):
    frame = table(60_000, first="1790-01-01").astype(object)
    frame.loc[59_990, "Close"], frame.loc[59_991, "Volume"] = "oops", "1,000"
    path = tmp_path / "X.csv"
    frame.to_csv(path, index=False)
    source = FileSource(str(path))
    (bars,) = loaded(source).values()
    assert source.quarantine.counts() == {"unparsable_number": 1} and len(bars) == 59_999
    assert bars.volume[-9] == 1000.0


@pytest.mark.parametrize("spec", ["nowhere", "nowhere/*.csv", "/dev/null/x.csv"])
def test_a_path_that_does_not_exist_is_an_error(spec, tmp_path):
    with pytest.raises(DataError, match=r"neither an existing path|has no bars"):
        open_source(str(tmp_path / spec), Store(tmp_path))


def test_one_symbol_for_several_files_is_an_error(tmp_path):
    for name in ("a.csv", "b.csv"):
        table().to_csv(tmp_path / name, index=False)
    with pytest.raises(DataError, match="2 files"):
        FileSource(str(tmp_path), "X")
    assert list(loaded(FileSource(str(tmp_path / "a.csv"), "X"))) == ["X"]


def test_parquet_and_csv_give_the_same_bars(tmp_path):
    table(50).to_csv(tmp_path / "X.csv", index=False)
    table(50).to_parquet(tmp_path / "X.parquet")
    (left,), (right,) = (loaded(FileSource(str(tmp_path / f"X.{s}"))).values() for s in ("csv", "parquet"))
    assert fingerprint(left) == fingerprint(right)


def test_a_symbol_of_a_file_named_after_it_and_of_a_symbol_column_is_yielded_once(tmp_path):
    table(5).to_csv(tmp_path / "A.csv", index=False)
    table(3, base=50.0).to_csv(tmp_path / "Z.csv", index=False)
    both = [table(5, first="2024-02-01").assign(Ticker=ticker) for ticker in "AB"]
    pd.concat(both).to_csv(tmp_path / "more.csv", index=False)
    assert [(bars.symbol, len(bars)) for bars in FileSource(str(tmp_path)).load()] == [("Z", 3), ("B", 5), ("A", 10)]

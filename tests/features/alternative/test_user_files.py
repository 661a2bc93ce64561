"""Containers of users' files: each gives the same table, or is refused."""

import bz2
import gzip
import json
import lzma

import pandas as pd
import pytest

from configs.errors import DataError
from features.alternative.user_files import read_files, renamed


@pytest.mark.parametrize("form", ["csv", "semicolon", "parquet", "json", "lines"])
def test_containers_give_the_same_rows(tmp_path, form):
    table = pd.DataFrame({"Series_ID": ["CPI", "NA"], "Date": ["2020-01-01", "2020-02-01"], "Value": ["1.5", "2.5"]})
    path = tmp_path / f"m.{'csv' if form in ('csv', 'semicolon') else 'parquet' if form == 'parquet' else 'json'}"
    if form == "parquet":
        table.to_parquet(path)
    elif form in ("json", "lines"):
        table.to_json(path, orient="records", lines=form == "lines")
    else:
        table.to_csv(path, index=False, sep=";" if form == "semicolon" else ",")
    ((file, frame),) = read_files(str(path))
    assert file.stem == "m" and frame.columns.tolist() == ["series", "period", "value"]
    assert frame["series"].tolist() == ["CPI", "NA"], "a name is not a missing value"


def test_files_that_are_no_tables_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4,5\n")
    (tmp_path / "b.csv").write_bytes(b" \n")
    for name, message in (("a.csv", "cannot be read"), ("b.csv", "is empty"), ("c.csv", "does not exist")):
        with pytest.raises(DataError, match=message):
            list(read_files(str(tmp_path / name)))
    with pytest.raises(DataError, match="more than once"):
        renamed(pd.DataFrame([[1, 2]], columns=["Value", "value"]))


@pytest.mark.parametrize(("suffix", "packed"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_compressed_files_are_read_and_damaged_ones_refused(tmp_path, suffix, packed, form):
    text = b"published_at,text\n2020-01-01,up\n" if form == "csv" else b'[{"published_at": "2020-01-01", "text": "up"}]'
    path = tmp_path / f"a.{form}.{suffix}"
    path.write_bytes(packed(text))
    ((_, frame),) = read_files(str(path))
    assert frame.to_dict("records") == [{"published_at": "2020-01-01", "text": "up"}]
    path.write_bytes(packed(text * 100)[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        list(read_files(str(path)))


@pytest.mark.parametrize("kind", ["columns", "records"])
def test_a_table_of_absurd_width_is_refused_before_it_is_built(tmp_path, kind):
    names = [f"c{i}" for i in range(50_000)]
    path = tmp_path / ("a.csv" if kind == "columns" else "a.json")
    path.write_text(",".join(names) if kind == "columns" else json.dumps([{name: 1} for name in names]))
    with pytest.raises(DataError, match="50,000 columns; expected at most 1,000"):
        list(read_files(str(path)))


def test_the_longest_list_of_a_document_is_its_table(tmp_path):
    path = tmp_path / "news.json"
    path.write_text(json.dumps({"errors": [], "articles": [{"publishedAt": "2020-01-01", "title": "up"}]}))
    ((_, frame),) = read_files(str(path))
    assert frame.to_dict("records") == [{"published_at": "2020-01-01", "text": "up"}]

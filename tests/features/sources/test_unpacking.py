"""Files that hold far more than their size are refused before they are read; stamps in text need little memory."""

import bz2
import gzip
import lzma
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.sources.files import FileSource

pytestmark = pytest.mark.slow

HEADER, LINE = b"date,open,high,low,close,volume\n", b"2024-01-02,1,1,1,1,1\n"
BOMB = HEADER + LINE * (2**21 // len(LINE))
READING = ReadingConfig(max_unpacked_mib=1)


def bomb(folder, kind):
    path = folder / f"X.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("X.csv", BOMB)
    elif kind == "parquet":
        ones, dates = pa.array(np.ones(10**6)), pa.array(np.zeros(10**6, "datetime64[us]"))
        pq.write_table(pa.table({"date": dates, "open": ones, "high": ones, "low": ones, "close": ones}), path)
    else:
        packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
        path.write_bytes(packers[kind.rpartition(".")[2]](BOMB))
    return path


@pytest.mark.parametrize("kind", ["csv.gz", "csv.bz2", "csv.xz", "json.gz", "zip", "parquet"])
def test_a_file_that_holds_too_much_is_refused_and_a_setting_allows_it(kind, tmp_path):
    path = bomb(tmp_path, kind)
    assert path.stat().st_size < 2**17
    with pytest.raises(DataError, match=r"more than 1 MiB .* --max-unpacked-mib"):
        list(FileSource(str(path), reading=READING).load())
    if kind != "json.gz":
        (bars,) = FileSource(str(path), reading=ReadingConfig(max_unpacked_mib=100)).load()
        assert len(bars) == 1


@pytest.mark.parametrize(("suffix", "packed"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_compressed_json_is_read(suffix, packed, tmp_path):
    dates = pd.bdate_range("2024-01-02", periods=20).strftime("%Y-%m-%d")
    text = pd.DataFrame({"date": dates, "open": 1.0, "high": 2.0, "low": 1.0, "close": 1.5}).to_json(orient="records")
    (tmp_path / f"A.json.{suffix}").write_bytes(packed(text.encode()))
    (bars,) = FileSource(str(tmp_path)).load()
    assert (bars.symbol, len(bars)) == ("A", 20)


def test_a_bomb_among_files_is_reported_and_the_others_are_read(tmp_path):
    bomb(tmp_path, "csv.gz")
    (tmp_path / "Y.csv").write_bytes(HEADER + LINE)
    source = FileSource(str(tmp_path), reading=READING)
    assert [bars.symbol for bars in source.load()] == ["Y"]
    assert "more than 1 MiB" in next(iter(source.missing.values()))


FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%m/%d/%Y %H:%M", "%d-%b-%Y %I:%M %p", "%Y%m%d %H%M%S")


@pytest.mark.parametrize("form", FORMS)
def test_minute_bars_need_at_most_500_bytes_a_row(form, tmp_path):
    days = pd.bdate_range("2015-01-01", periods=600).to_numpy()
    dates = pd.DatetimeIndex((days[:, None] + np.arange(570, 960).astype("timedelta64[m]")).ravel())
    close = np.round(100 + np.sin(np.arange(len(dates)) / 1000), 4)
    frame = pd.DataFrame({"Date": dates.strftime(form), "Open": close, "High": close, "Low": close, "Close": close})
    frame.to_csv(tmp_path / "A.csv", index=False)
    code = (
        "import resource, sys; from features.sources.files import FileSource\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before = peak(); (bars,) = FileSource(sys.argv[1]).load(); print(len(bars), peak() - before)"
    )
    printed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    rows, used = map(int, printed.stdout.split())
    assert rows == len(dates) and used / rows < 500

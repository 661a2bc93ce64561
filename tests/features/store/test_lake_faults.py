"""What other processes, a full disk and damaged files do to the lake."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lake_bars import assert_equal_bars, cut, series
from waiting import BOUND_S

from configs.errors import DataError, StoreError
from features.store.lake import Lake
from features.store.store import Store


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(Store(tmp_path / "store"))


def test_missing_symbols_and_damaged_files_are_one_clear_error(lake):
    assert lake.symbols() == [] and lake.info() == [] and lake.read_context() is None
    with pytest.raises(DataError, match=r"'X' is not in the lake.*data import"):
        lake.read("X")
    lake.store.write("lake/bars/X.parquet", b"PAR1 damaged")
    for attempt in (lambda: lake.read("X"), lake.info, lambda: lake.append(series())):
        with pytest.raises(StoreError, match="not a readable Parquet file") as caught:
            attempt()
        assert "\n" not in str(caught.value)


_APPEND = """
import resource, sys
import numpy as np
from configs.errors import StoreError
from features.bars.schema import SymbolBars
from features.store.lake import Lake
from features.store.store import Store
root, start, step, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for first in range(start, 16, step):
    rows = np.arange(first * 100, first * 100 + 100)
    price = 10.0 + np.sin(rows * 1.7)
    dates = (np.datetime64("2000-01-01") + rows).astype("datetime64[ns]")
    bars = SymbolBars("X", dates, price, price, price, price, price, False, True)
    try:
        Lake(Store(root)).append(bars)
    except StoreError as error:
        sys.exit(str(error))
"""


def append_in_process(root: Path, *numbers: int) -> subprocess.Popen:
    arguments = [sys.executable, "-c", _APPEND, str(root), *map(str, numbers)]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_concurrent_appends_lose_no_row(tmp_path):
    running = [append_in_process(tmp_path, first, 2, 0) for first in (0, 1)]
    assert [process.communicate(timeout=BOUND_S)[1] for process in running] == ["", ""]
    bars = Lake(Store(tmp_path)).read("X")
    assert len(bars) == 1600 and (np.diff(bars.dates) == np.timedelta64(1, "D")).all()


@pytest.mark.slow
def test_a_full_disk_is_one_clear_error_and_damages_nothing(tmp_path):
    lake = Lake(Store(tmp_path))
    lake.append(series("Y"))
    process = append_in_process(tmp_path, 0, 1, 8000)
    _, error = process.communicate(timeout=BOUND_S)
    assert process.returncode == 1 and "Free some space" in error and len(error.splitlines()) == 1
    assert len(lake.read("X")) > 0 and not list(tmp_path.rglob("*.tmp"))
    assert_equal_bars(lake.read("Y"), series("Y"))


def test_a_store_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(StoreError, match="--store"):
        Lake(Store(tmp_path / "file.txt" / "x")).append(series())


@pytest.mark.slow
def test_bars_imported_while_their_symbol_is_renamed_are_kept(lake):
    """Rename X while another process appends to it: every bar is under one of the names."""
    bars = series("X")
    lake.append(cut(bars, slice(0, 100)))
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from lake_bars import cut, series\n"
        "from features.store.lake import Lake; from features.store.store import Store\n"
        "for i in range(100, 300, 5): Lake(Store(sys.argv[1])).append(cut(series('X'), slice(i, i + 5)))"
    )
    tests = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code, lake.store.root, str(tests)], cwd=tests.parent) as other:
        names = iter(f"N{i}" for i in range(10**6))
        while other.poll() is None:
            if "X" in lake.symbols():
                lake.rename("X", next(names))
    assert other.returncode == 0
    dates = np.concatenate([lake.read(symbol).dates for symbol in lake.symbols()])
    np.testing.assert_array_equal(np.sort(dates), bars.dates)

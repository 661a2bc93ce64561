"""Hostile files of texts and series, a folder of 100,000 files, and a roster of ten million symbols."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from hostile.attack import Attack, Context
from hostile.input_attacks import bomb, refused

_ROOT = Path(__file__).parents[3]
_FILES = 100_000
_ROSTER_S, _ROSTER_MIB = 300.0, 3_072
_ROSTER = """
import resource, sys, time
from configs.errors import ModelError
from features.store.store import Store
from training.registry.block_index import FileRecord
from training.registry.roster import Roster

store = Store(sys.argv[1])
data = Roster.of([[f"S{i:08d}" for i in range(10_000_000)]], {}, ["block"]).to_bytes()
store.write("roster.parquet", data)
roster = Roster.read(store, "roster.parquet", FileRecord.of(data))
assert roster.locate("S09999999") == (0, 9_999_999) and roster.match("S00000007", "here") == "S00000007"
try:
    roster.match("S0000000", "here")
except ModelError as error:
    assert len(str(error)) < 1_000, str(error)
else:
    raise AssertionError("an unknown symbol was found")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def _records_without_a_common_field(context: Context) -> None:
    file = context.folder / "records.json"
    file.write_text(json.dumps([{f"field{i}": 1} for i in range(50_000)]))
    refused(context, "data", "import", str(file), "--kind", "text", words="50,000 columns")


def _many_files(context: Context) -> None:
    folder = context.folder / "many"
    folder.mkdir()
    for number in range(_FILES):
        (folder / f"f{number}.csv").touch()
    refused(context, "data", "import", str(folder), words="empty", seconds=300.0)


def _roster(context: Context) -> None:
    start = time.perf_counter()
    command = [sys.executable, "-c", _ROSTER, str(context.folder)]
    printed = subprocess.check_output(command, env=os.environ | {"PYTHONPATH": str(_ROOT)}, text=True)
    seconds, peak = time.perf_counter() - start, int(printed)
    assert seconds < _ROSTER_S and peak < _ROSTER_MIB, f"{seconds:.0f} s, {peak} MiB"


ATTACKS = [
    *(
        Attack(
            f"800 MiB of texts in a small .{kind}: one error",
            lambda context, kind=kind: bomb(context, kind, "--kind", "text"),
        )
        for kind in ("csv.gz", "zip")
    ),
    Attack("50,000 records without a common field: one error", _records_without_a_common_field),
    Attack("100,000 empty files in a folder: one error", _many_files),
    Attack("a roster of 10,000,000 symbols: read, and an unknown symbol is one error", _roster),
]

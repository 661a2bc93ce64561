"""Hostile configurations, files of bars and study databases: each is one clear error, quickly and in little memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from hostile.attack import Attack, Context

_ROOT = Path(__file__).parents[3]
_MAX_S, _MAX_MIB = 30.0, 1024
_BOMB_MIB = 800


def refused(context: Context, *arguments: str, words: str, seconds: float = _MAX_S) -> None:
    """Run the command line and assert one line of error with these words, exit code 2 and little memory.

    ``seconds`` are those of the processor, on which other processes have no influence.
    """
    code = (
        "import resource, sys; from cluster.cli import main\n"
        "try: main()\n"
        "finally:\n"
        "    used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    print('USED', used.ru_maxrss // 1024, used.ru_utime + used.ru_stime)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=context.folder,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2 and len(lines) == 1, f"exit {done.returncode}: {done.stderr[-500:]}"
    assert words in lines[0] and len(lines[0]) < 4000, lines[0][:500]
    peak, took = map(float, done.stdout.rpartition("USED")[2].split())
    assert took < seconds and peak < _MAX_MIB, f"{took:.1f} s, {peak:.0f} MiB"


def _config(text: str, words: str) -> Callable[[Context], None]:
    def run(context: Context) -> None:
        file = context.folder / "hostile.yaml"
        file.write_text(text)
        refused(context, "train", "--config", str(file), words=words)
        if len(text) < 100_000:  # the longest argument of a command
            refused(context, "train", "--set", f"run.seed={text}", words="--set")

    return run


def _setting(text: str, words: str) -> Callable[[Context], None]:
    return lambda context: refused(context, "train", "--set", text, words=words)


def _endless(context: Context) -> None:
    refused(context, "train", "--config", "/dev/zero", words="longer")


def bomb(context: Context, kind: str, *options: str) -> None:
    """Import a small file of this kind that is 800 MiB when it is unpacked."""
    block = b"2024-01-02,1,1,1,1,1\n" * 50_000
    path = context.folder / f"X.{kind}"
    blocks = _BOMB_MIB * 2**20 // len(block)
    if kind == "zip":
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("X.csv", "w", force_zip64=True) as file,
        ):
            for _ in range(blocks):
                file.write(block)
    else:
        compress = {"csv.gz": gzip.compress, "csv.bz2": bz2.compress, "csv.xz": lzma.compress}[kind]
        packed = compress(block)  # streams that follow each other are one file: bz2 takes minutes for 800 MiB
        path.write_bytes(compress(b"date,open,high,low,close,volume\n") + packed * blocks)
    refused(context, "data", "import", str(path), *options, words="MiB when it is unpacked")


def _minutes(form: str) -> Callable[[Context], None]:
    """Two million minute bars are imported in at most 1 GiB."""

    def run(context: Context) -> None:
        import numpy as np
        import pandas as pd

        days = pd.bdate_range("2003-01-02", periods=5129).to_numpy()
        dates = pd.DatetimeIndex((days[:, None] + np.arange(570, 960).astype("timedelta64[m]")).ravel()[:2_000_000])
        close = np.round(100 + np.sin(np.arange(len(dates)) / 1000) + np.arange(len(dates)) % 7 / 100, 4)
        frame = pd.DataFrame({"Date": dates.strftime(form), "Open": close, "High": close + 1, "Low": close - 1})
        frame.assign(Close=close, Volume=1000).to_csv(context.folder / "A.csv", index=False)
        code = (
            "import resource, sys; from features.sources.files import FileSource\n"
            "(bars,) = FileSource('A.csv').load()\n"
            "print(len(bars), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
        )
        printed = subprocess.check_output(
            [sys.executable, "-c", code], cwd=context.folder, env=os.environ | {"PYTHONPATH": str(_ROOT)}, text=True
        )
        rows, peak = map(int, printed.split())
        context.figures[f"minute bars peak MiB {form}"] = peak
        assert rows == len(dates) and peak <= _MAX_MIB, f"{rows} rows, {peak} MiB"

    return run


_LEVELS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

ATTACKS = [
    Attack("an alias bomb of nine levels: one error", _config(_LEVELS + "data: {symbols: *i}", "aliases")),
    Attack("50,000 brackets: one error", _config("[" * 50_000, "levels")),
    Attack("50,000 mappings: one error", _config("{a: " * 50_000, "levels")),
    Attack("50,000 dashes: one error", _config("- " * 50_000, "levels")),
    Attack("an alias in its own anchor: one error", _config("run: &run {seed: *run}", "alias")),
    Attack("a file of a million spaces: one error", _config(" " * 2**20 + "run: 1", "longer")),
    Attack(
        "a configuration without an end: one error",
        lambda c: refused(c, "train", "--config", "/dev/zero", words="longer"),
    ),
    Attack("a seed of thirty digits: one error", _setting(f"run.seed={10**30}", "run.seed")),
    Attack("a billion epochs: one error", _setting("direction.fit.epochs=1000000000", "epochs")),
    Attack("a setting that is no number: one error", _setting("direction.fit.learning_rate=.nan", "learning_rate")),
    Attack("a key of 20,000 parts: one error", _setting("a." * 20_000 + "b=1", "--set")),
    *(
        Attack(f"800 MiB in a small .{kind}: one error", lambda context, kind=kind: bomb(context, kind))
        for kind in ("csv.gz", "csv.bz2", "csv.xz", "zip")
    ),
    *(
        Attack(f"2,000,000 minute bars as {form}: at most 1 GiB", _minutes(form))
        for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%m/%d/%Y %H:%M", "%d-%b-%Y %I:%M %p", "%Y%m%d %H%M%S")
    ),
]

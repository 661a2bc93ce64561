"""Damage to the files of a store: every answer is exact, or an error that names the file."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hostile.attack import Attack, Context
from hostile.faulty_proxy import faulty
from hostile.store_subjects import NAMES, SUBJECTS, Subject, make_lake, make_registry

from configs.errors import FleetcastError

FLIPS = 1000


def content(value: Any) -> Any:
    """Return a value that is equal exactly if every bit of the given one is."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    if isinstance(value, pa.Table):
        return str(value.schema), str(value.to_pylist())
    if isinstance(value, pd.DataFrame):
        return {name: str(column.tolist()) for name, column in value.items()}
    if isinstance(value, dict):
        return {key: content(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [content(one) for one in value]
    if is_dataclass(value):
        return {field.name: content(getattr(value, field.name)) for field in fields(value)}
    return repr(value)


def files_of(folder: Path, subject: Subject) -> list[Path]:
    """Return the files to damage, without those that only say that something is in use."""
    found = [path for part in subject.folders for path in (folder / part).rglob("*.*") if path.is_file()]
    return sorted(path for path in found if ".locks" not in path.parts)


def flip_bits(folder: Path, subject: Subject, flips: int, seed: int = 0) -> dict[str, int]:
    """Flip one random bit of a random file at a time, and return how many were refused, missed and harmless.

    Raises
    ------
    AssertionError
        An answer differs, an error does not name the file, or something other than an error of ours is raised.
    """
    read = subject.make(folder)
    expected, rng = content(read()), random.Random(seed)
    assert expected != content(None)
    files, counts = files_of(folder, subject), {"refused": 0, "missed": 0, "harmless": 0}
    for _ in range(flips):
        path = rng.choice(files)
        before = path.read_bytes()
        at, bit = rng.randrange(len(before)), rng.randrange(8)
        damaged = bytearray(before)
        damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        what = f"bit {bit} of byte {at} of {path.relative_to(folder)}"
        counts[_outcome(read, expected, path, what, subject.may_miss)] += 1
        path.write_bytes(before)
    return counts


def replace_files(folder: Path, subject: Subject, every: int = 1) -> dict[str, int]:
    """Replace each file, or one of ``every``, by half of it, nothing, garbage or another; count as above.

    Raises
    ------
    AssertionError
        As for :func:`flip_bits`.
    """
    read = subject.make(folder)
    expected, counts = content(read()), {"refused": 0, "missed": 0, "harmless": 0}
    files = files_of(folder, subject)
    for number, path in list(enumerate(files))[::every]:
        before = path.read_bytes()
        alike = [file for file in files if file.suffix == path.suffix and file.read_bytes() != before]
        named = [file for file in alike if file.name == path.name]
        others = {f"{other.relative_to(folder)}": other.read_bytes() for other in {*alike[-1:], *named}}
        damages = {
            "half of it": before[: len(before) // 2],
            "nothing": b"",
            "zeros": bytes(len(before)),
            "garbage": random.Random(number).randbytes(1000),
            "brackets": b"[" * 50_000,
            "objects": b'{"a":' * 50_000,
            "a file of another kind": files[number - 1].read_bytes(),
            **others,
        }
        for name, data in damages.items():
            path.write_bytes(data)
            what = f"{name} in place of {path.relative_to(folder)}"
            counts[_outcome(read, expected, path, what, subject.may_miss)] += 1
        path.write_bytes(before)
    return counts


def _outcome(read: Callable[[], Any], expected: Any, path: Path, what: str, may_miss: bool) -> str:
    try:
        found = read()
    except FleetcastError as error:
        assert path.name in str(error), f"{what}: the error does not name the file: {error}"
        return "refused"
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    if found is None and may_miss:
        return "missed"
    assert content(found) == expected, f"{what}: another answer"
    return "harmless"


def _flip(name: str, context: Context) -> None:
    counts = flip_bits(context.folder, SUBJECTS[name], FLIPS)
    context.figures[f"{name}, refused"] = counts["refused"] + counts["missed"]


def _replace(name: str, context: Context) -> None:
    counts = replace_files(context.folder, SUBJECTS[name])
    assert not counts["harmless"], f"{counts['harmless']} replaced files were read as if nothing had happened"


def _lose_answers(context: Context) -> None:
    """Import and publish into a bucket of which a sixth of the answers is lost, late, cut off or a refusal."""
    expected = content(make_lake(context.folder)())
    with bucket() as (url, name), faulty(url, share=0.15) as (proxied, counts), _endpoint(proxied):
        assert content(make_lake(f"s3://{name}/lake")()) == expected, "the bucket's lake is not that of the disk"
        champion = make_registry(f"s3://{name}/models")()[2]
        assert champion.symbols == len(NAMES) and champion.config == {"run": {"seed": 2}}, champion
    context.figures["answers lost"] = sum(counts.values()) - counts["passed"]


@contextmanager
def bucket() -> Iterator[tuple[str, str]]:
    """Yield the URL of an S3 server on loopback and the name of a bucket."""
    command = [sys.executable, str(Path(__file__).parents[2] / "s3_server.py")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        with _endpoint(url):
            urllib.request.urlopen(urllib.request.Request(f"{url}/bucket", method="PUT")).close()
            yield url, "bucket"
    finally:
        server.kill()
        server.wait()


@contextmanager
def _endpoint(url: str) -> Iterator[None]:
    names = {"ENDPOINT_URL": url, "REGION": "us-east-1", "ACCESS_KEY_ID": "tester", "SECRET_ACCESS_KEY": "secret"}
    settings = {f"AWS_{name}": value for name, value in names.items()}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


ATTACKS = [
    *(Attack(f"{FLIPS} flipped bits in {name}: refused or harmless", partial(_flip, name)) for name in SUBJECTS),
    *(Attack(f"every file of {name} replaced by others: refused", partial(_replace, name)) for name in SUBJECTS),
    Attack("a bucket that loses, delays, cuts off and refuses answers: the bytes of a disk", _lose_answers),
]

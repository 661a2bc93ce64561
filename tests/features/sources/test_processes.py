"""Reading many files in several processes gives what one process gives."""

from dataclasses import fields

import numpy as np
import pytest

from features.sources import processes
from features.sources.files import FileSource
from features.sources.processes import Processes

HEADER = "date,open,high,low,close,volume"


@pytest.fixture
def folder(tmp_path):
    """Forty files of one symbol each, one with a bad row, one that is no table, and one with two symbols."""
    for i in range(40):
        lines = [f"2024-01-{day:02d},{i + 1},{i + 2},{i + 1},{i + 1.5},{day}" for day in range(2, 12)]
        (tmp_path / f"S{i:02d}.csv").write_text("\n".join([HEADER, *lines, ""]))
    (tmp_path / "S07.csv").write_text(f"{HEADER}\n2024-01-02,1,2,1,1.5,1\n2024-01-03,1,2,3,1.5,1\n")
    (tmp_path / "S08.csv").write_text("no table\n")
    (tmp_path / "two.csv").write_text(f"{HEADER},symbol\n2024-01-02,1,2,1,1.5,1,S00\n2024-01-03,1,2,1,1.5,1,ELSE\n")
    return tmp_path


def read(folder, count):
    source = FileSource(str(folder), processes=count)
    bars = list(source.load())
    columns = [(one.symbol, *(getattr(one, field.name) for field in fields(one)[1:])) for one in bars]
    return columns, source.quarantine.frame, source.missing, source.read_as


@pytest.mark.slow
def test_processes_change_nothing(folder, monkeypatch):
    monkeypatch.setattr(processes, "_LEAST", 1)
    monkeypatch.setattr(processes, "_CHUNK", 4)
    alone, together = read(folder, 1), read(folder, 2)
    assert [one[0] for one in together[0]] == [one[0] for one in alone[0]] and len(alone[0]) == 40
    for first, second in zip(alone[0], together[0], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(first[1:], second[1:], strict=True) if a is not None)
    assert together[1].equals(alone[1]) and len(alone[1])
    assert together[2] == alone[2] and list(alone[2]) == ["S08"]
    assert together[3] == alone[3]


def test_few_items_start_no_process():
    with Processes(2) as few:
        assert list(few.map(lambda item: item + 1, [1, 2])) == [2, 3], "a lambda cannot be sent to a process"


@pytest.mark.slow
def test_an_error_of_an_item_is_raised_in_its_turn(monkeypatch):
    monkeypatch.setattr(processes, "_LEAST", 1)
    monkeypatch.setattr(processes, "_CHUNK", 1)
    with Processes(2) as two:
        found = two.map(int, ["1", "2", "x", "4"])
        assert [next(found), next(found)] == [1, 2]
        with pytest.raises(ValueError, match="'x'"):
            next(found)

"""A bucket whose answers are lost, cut off or refused holds what a disk would."""

import importlib
import os
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize("faults", [("cut",), ("lost", "busy", "cut")])
def test_bars_survive_answers_that_are_lost_or_cut_off(s3, tmp_path, monkeypatch, faults):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    proxy, subjects, attacks = (
        importlib.import_module(f"hostile.{name}") for name in ("faulty_proxy", "store_subjects", "store_attacks")
    )
    monkeypatch.setattr(proxy, "FAULTS", faults)
    upstream = os.environ["AWS_ENDPOINT_URL"]
    with proxy.faulty(upstream, share=0.2, seed=3) as (url, counts):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        found = attacks.content(subjects.make_lake(s3)())
    assert sum(counts[fault] for fault in faults) > 3
    assert found == attacks.content(subjects.make_lake(tmp_path)())

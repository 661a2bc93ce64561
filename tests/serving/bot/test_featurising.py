"""Featurising in two processes: the same windows, bit for bit, and all of the work here if the other one is gone."""

from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Pipe

import numpy as np
import pytest
from waiting import BOUND_S

from serving.bot import featurising
from serving.bot.featurising import FeaturisingProcess, _serve
from serving.latest_windows import in_chunks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(engine, make_universe):
    windows = engine.snapshot.windows["direction"]
    bars = make_universe([f"S{i:03d}" for i in range(70)], bars=260)
    return windows.recipe, 5, bars, windows.table, windows.context


def joined(pieces):
    pieces = list(pieces)
    return np.concatenate([one for one, _ in pieces]), [name for _, panel in pieces for name in panel.symbols]


def run(featurise, work):
    recipe, length, bars, table, context = work
    return joined(featurise(recipe, length, iter(bars), table, context))


def test_two_processes_return_what_one_returns(work):
    process = FeaturisingProcess()
    try:
        for _ in range(2):
            features, names = run(process, work)
            expected, symbols = run(in_chunks, work)
            np.testing.assert_array_equal(features, expected)
            assert names == symbols == [one.symbol for one in work[2]]
            assert process._connection is not None
    finally:
        process.close()


def test_the_other_process_ends_without_an_error_if_this_one_is_killed_while_it_works(work):
    recipe, length, bars, table, context = work
    ours, theirs = Pipe()
    with ThreadPoolExecutor(1) as other:
        served = other.submit(_serve, theirs)
        ours.send((recipe, length, bars, table, context))
        ours.close()  # as at the end of the process that asked
        served.result(BOUND_S)


def test_without_the_other_process_this_one_does_all_of_the_work(work, monkeypatch, caplog):
    monkeypatch.setattr(featurising.sys, "executable", "/bin/false")
    features, names = run(FeaturisingProcess(), work)
    expected, symbols = run(in_chunks, work)
    np.testing.assert_array_equal(features, expected)
    assert names == symbols
    assert "this one computes all of them" in caplog.text

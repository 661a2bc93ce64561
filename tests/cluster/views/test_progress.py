"""The progress lines of a run without a terminal."""

import io

from rich.console import Console

from cluster.views.progress import _Watch
from training.run.queue import Progress


def at(**changes):
    facts = {"jobs_done": 1, "jobs": 4, "symbols_done": 8, "symbols": 32, "running": ("direction/block-00001",)}
    facts |= {"failed": 0, "waiting": 2, "begun_again": 0, "nodes": {"one": 2}, "done_on": {"one": 1}}
    return Progress(**(facts | changes))


def test_a_restart_after_a_death_is_printed_immediately_and_once():
    out = io.StringIO()
    watch = _Watch(Console(file=out, force_terminal=False, width=200))
    watch.progressed(at())
    assert out.getvalue() == "", "a line every ten seconds is enough"
    watch.progressed(at(begun_again=1))
    watch.progressed(at(begun_again=1))
    watch.close()
    assert out.getvalue() == "8/32 symbol models; direction/block-00001; 1 job restarted after a worker died\n"


def test_each_further_node_is_printed_immediately_and_a_lost_node_is_not():
    out = io.StringIO()
    watch = _Watch(Console(file=out, force_terminal=False, width=200))
    for nodes in ({"one": 1}, {"one": 2, "two": 1}, {"one": 2}, {"one": 2, "two": 1}, {"one": 1, "two": 1, "three": 1}):
        watch.progressed(at(nodes=nodes, running=()))
    watch.close()
    found = [line.partition("; ")[2] for line in out.getvalue().splitlines()]
    assert found == [f"starting workers; 3 workers on {count} nodes" for count in (2, 3)]


def test_the_time_left_counts_down_between_blocks_and_waits_for_a_tenth(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("cluster.views.progress.time.monotonic", lambda: now[0])
    watch = _Watch(Console(file=io.StringIO(), force_terminal=False))

    def pace(at_s, done):
        now[0] = 100.0 + at_s
        return watch._pace(at(symbols_done=done, symbols=100))

    assert pace(0, 0) == pace(5, 0) == ""
    assert pace(10, 5) == "30/min", "too early to tell"
    assert pace(20, 20) == "60/min, about 80 s left"
    assert pace(50, 20) == "60/min, about 50 s left"
    assert pace(110, 20) == "60/min", "the blocks at work are slower than the last ones"
    assert pace(120, 60) == "30/min, about 80 s left"
    watch.close()

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

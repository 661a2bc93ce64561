"""Which tests run in one process, in which order, and the Ray cluster that those of consecutive files share."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

_ON_RAY = (
    "test_buckets",  # the first, because workers have the addresses of their bucket from Ray's own environment
    "test_train_command",
    "test_tune_command",
    "test_batches",
    "test_search",
    "test_text_scoring",
    "test_worker_group",
)
_ALONE = ("test_nodes", "test_submission", "test_service", "test_sharded_service", "test_doctor")
_LONGEST_FIRST = ("commands", "ray", *_ALONE)


def _together(nodeid: str) -> str:
    """Return the group of tests that run in one process: those of a file, or of all files that share a slow fixture."""
    file = nodeid.partition("::")[0]
    name = Path(file).stem
    if name in _ON_RAY:
        return "ray"
    return name if name in _ALONE else "commands" if file.startswith("tests/cluster/") else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the groups that take minutes first, for the scheduler below."""
    order = {name: place for place, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(_together(item.nodeid), len(order)))


class _TogetherScheduling(LoadScopeScheduling):
    """Assigns groups from both ends: the last process computes, the others run the slow ones, which mostly wait."""

    def _split_scope(self, nodeid: str) -> str:
        return _together(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        if node is self.nodes[-1] and len(self.nodes) > 1:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        """Keep two tests waiting for a process, which begins one when it knows the next, and end it with its last.

        A process that has tests on Ray ends with them: threads of gRPC outlive Ray's shutdown, and in one of forty runs
        a process ended with SIGSEGV in such a thread, minutes later.
        """
        others = [other for other in self.nodes if other is not node and not other.shutting_down]
        if "ray" in self.assigned_work[node] and others:
            node.shutdown()
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) <= 2:
            super()._reschedule(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _TogetherScheduling(config, log)


_shared_ray = ExitStack()


@pytest.fixture
def ray_cluster() -> None:
    """Ray on this machine with two processors, which tests of consecutive files share."""
    from cluster.session import connect

    _shared_ray.enter_context(connect(cpus=2))  # joins the one that is running


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop that Ray before a file that does not use it, because its tests train faster without."""
    if nextitem is None or nextitem.path.stem not in _ON_RAY:
        _shared_ray.close()

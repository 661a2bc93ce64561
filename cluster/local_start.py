"""Starts Ray on this machine, with more time and attempts than Ray takes by default: slow machines need them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

import psutil

# Ray gives its first node 30 s to register, which a busy laptop exceeds. Ray reads the variable once per process.
PATIENT = {"RAY_raylet_start_wait_time_s": "120"}

logger = logging.getLogger(__name__)


def start_patiently(start: Callable[[], object], attempts: int) -> None:
    """Call ``start`` up to ``attempts`` times; after an exception, kill the processes that it started.

    ``ValueError`` and ``TypeError``, which mean invalid arguments, and the exception of the last attempt are raised.
    """
    for attempt in range(1, attempts + 1):
        before = {child.pid for child in _children()}
        try:
            start()
        except (ValueError, TypeError):
            raise
        except Exception as error:  # Ray raises half a dozen unrelated types here
            if attempt == attempts:
                raise
            logger.warning("Ray did not start (attempt %d of %d): %s", attempt, attempts, error)
            for child in _children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if child.pid not in before and "ray" in " ".join(child.cmdline()):
                        child.kill()
        else:
            return


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)

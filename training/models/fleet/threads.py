"""The number of TensorFlow's threads, without importing TensorFlow: many processes never need it."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any


def use_threads(threads: int) -> None:
    """Fix the threads of one process, so that results and speed do not depend on how many cores the host has.

    TensorFlow reads the environment when it runs its first operation; a call after that has no effect. Other backends
    of Keras are left as they are.
    """
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}
    tensorflow: Any = sys.modules.get("tensorflow")
    if tensorflow is not None:  # limits that were set there before would win
        with contextlib.suppress(RuntimeError):
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)

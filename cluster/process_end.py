"""The end of a command's process: what it registered runs, then the system takes the memory."""

import atexit
import os
import sys
from collections.abc import Callable


def exit_without_finalizing(command: Callable[[], None]) -> None:
    """Run a command that ends in ``SystemExit``; end this process with its code, without finalizing the interpreter.

    A thread of Ray that calls Python while the interpreter is finalized ends the process with SIGSEGV, after all work
    is done (Ray 2.60, CPython 3.11, after a worker was killed); and freeing millions of objects takes seconds.
    Threads are joined, functions registered with ``atexit`` run and output is flushed as always. Only a process that
    imported Ray ends so, and other exceptions take Python's way.
    """
    code: int | None = None

    def end() -> None:
        if code is None or "ray" not in sys.modules:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):  # a closed pipe: Python has a message and an exit code for it
            return
        os._exit(code)

    atexit.register(end)  # before all others of the command, so it is the last to run
    try:
        command()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            code = ended.code or 0
        raise

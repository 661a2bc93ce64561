"""The end of a command's process: what it registered runs, then the system takes the memory."""

import atexit
import os
import sys
from collections.abc import Callable


def exit_without_finalizing(command: Callable[[], None]) -> None:
    """Run a command that ends in ``SystemExit``; end this process with its code, without finalizing the interpreter.

    A thread of Ray that asks for the lock of an interpreter that no longer exists ends the process with SIGSEGV, after
    all work is done: seen after a worker was killed on a busy machine (CPython 3.11, Ray 2.60; its issue 47864 is
    alike). Freeing millions of objects takes seconds, too. Other threads are joined, functions registered with
    ``atexit`` run and output is flushed as always. Only a process that imported Ray ends so, and other exceptions take
    Python's way.
    """
    code: int | None = None

    def end() -> None:
        if code is None or "ray" not in sys.modules:
            return
        try:
            for stream in filter(None, (sys.stdout, sys.stderr)):  # None: closed before the start
                stream.flush()
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

"""The console that commands print to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from rich.console import Console

_PLAIN_WIDTH = 80


def make_console() -> Console:
    """Return a console of the terminal's width, or 80 columns where output goes to a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=_PLAIN_WIDTH)


@contextmanager
def stdout_reserved_for_json() -> Iterator[None]:
    """Redirect stdout to stderr: Ray prints on stdout when a worker dies, and forwards the output of workers."""
    with redirect_stdout(sys.stderr):
        yield

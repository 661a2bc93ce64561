"""The console that commands print to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from rich.console import Console

_PLAIN_WIDTH = 140


def make_console() -> Console:
    """Return a console that does not cut tables where output goes to a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=_PLAIN_WIDTH)


@contextmanager
def stdout_kept_for_json() -> Iterator[None]:
    """Send to stderr what others print meanwhile: Ray tells on stdout of every worker that dies."""
    with redirect_stdout(sys.stderr):
        yield

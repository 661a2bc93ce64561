"""The console that commands print to."""

from __future__ import annotations

from rich.console import Console

_PLAIN_WIDTH = 140


def make_console() -> Console:
    """Return a console that does not cut tables where output goes to a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=_PLAIN_WIDTH)

"""The console that commands print to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stdout
from typing import Protocol, TypeVar

from rich.console import Console

_PLAIN_WIDTH = 80


class Closable(Protocol):
    """What shows progress until it is closed."""

    def close(self) -> None:
        """Remove what is live from the terminal."""
        ...


_Watch = TypeVar("_Watch", bound=Closable)


def make_console() -> Console:
    """Return a console of the terminal's width, or 80 columns where output goes to a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=_PLAIN_WIDTH)


@contextmanager
def stdout_reserved_for_json() -> Iterator[None]:
    """Redirect stdout to stderr: Ray prints on stdout when a worker dies, and forwards the output of workers."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def progress_shown(make: Callable[[Console], _Watch], quiet: bool) -> Iterator[_Watch | None]:
    """Yield what shows progress on the console; if ``quiet``, None, and stdout is reserved for JSON."""
    if quiet:
        with stdout_reserved_for_json():
            yield None
        return
    with closing(make(make_console())) as watch:
        yield watch

"""What options of several commands have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from configs.errors import ConfigError


def names(option: str, text: str) -> list[str]:
    """Return names separated by commas; none at all is a mistake, such as a shell variable that is not set.

    Raises
    ------
    ConfigError
        There is no name.
    """
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise ConfigError(f"{option} {text!r} names nothing. Give names separated by commas, or leave it out.")
    return found


@contextmanager
def interruptible(message: str) -> Iterator[None]:
    """Turn an interruption into one line, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted{message}", file=sys.stderr)
        raise SystemExit(130) from None

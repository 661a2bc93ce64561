"""Files that commands write for people: whole or not at all, or the standard output."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from configs.errors import ConfigError

STDOUT = "-"


def check_file(option: str, path: str) -> None:
    """Check before long work that a file can be written where it is wanted.

    Raises
    ------
    ConfigError
        It cannot: its folder does not exist or is not writable, or the path is a folder or ``-``.
    """
    target = Path(path).expanduser()
    problems = (
        (path == STDOUT or not path.strip(), "it is no name of a file"),
        (target.is_dir(), "it is a folder"),
        (not target.parent.is_dir(), f"there is no folder {str(target.parent)!r}"),
        (not os.access(target.parent, os.W_OK), f"the folder {str(target.parent)!r} is not writable"),
    )
    for is_so, problem in problems:
        if is_so:
            raise ConfigError(
                f"{option} {path!r} cannot be written: {problem}. Give a path to a file in a folder of yours."
            )


def write_output(option: str, path: str, data: bytes) -> None:
    """Write a file, or the standard output for ``-``; an existing file is replaced when the new one is complete.

    Raises
    ------
    ConfigError
        The file cannot be written.
    """
    if path == STDOUT:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    target = Path(path).expanduser()
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            temporary = file.name
            file.write(data)
        os.chmod(file.name, 0o644)
        os.replace(file.name, target)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise ConfigError(
            f"{option} {path!r} cannot be written ({error.strerror}). Give a path in a folder of yours."
        ) from error

"""Files that commands write for people: whole or not at all, or the standard output."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from configs.errors import ConfigError

STDOUT = "-"


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
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            file.write(data)
        os.chmod(file.name, 0o644)
        os.replace(file.name, target)
    except OSError as error:
        raise ConfigError(
            f"{option} {path!r} cannot be written ({error.strerror}). Give a path in a folder of yours."
        ) from error

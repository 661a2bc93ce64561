"""Imports TensorFlow without the banners that its C++ writes to standard error before any logging is set up."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_BANNER = re.compile(rb"WARNING: All log messages before absl|[IW]\d{4} \d\d:\d\d:")
_STDERR = 2


@contextmanager
def without_banners() -> Iterator[None]:
    """Hold back what is written to standard error meanwhile, and pass on all of it but the banners afterwards."""
    try:
        sys.stderr.flush()
        kept = os.dup(_STDERR)
    except (AttributeError, OSError, ValueError):  # there is no standard error, as under pythonw
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            written.seek(0)
            for line in written:
                if not _BANNER.match(line):
                    os.write(_STDERR, line)

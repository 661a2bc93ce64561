"""A second process that featurises half of the symbols: features take most of a scan, and Python runs one thread."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from multiprocessing.connection import Connection, Pipe
from threading import Lock
from typing import Any

from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.universe import UniverseTable
from serving.latest_windows import FeatureRecipe, Piece, in_chunks

_LEAST = 64  # symbols that are worth another process
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_log = logging.getLogger(__name__)


class FeaturisingProcess:
    """Featurises bars in this process and another one at the same time; a :data:`.Featurise`.

    The other process starts when it is first of use, and ends with this one, however this one ends: it reads from a
    pipe that closes then. If it fails, this process does all of the work.
    """

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._working = Lock()

    def __call__(
        self,
        recipe: FeatureRecipe,
        length: int,
        bars: Iterator[SymbolBars],
        table: UniverseTable,
        context: MarketContext | None,
    ) -> Iterator[Piece]:
        """Return the pieces of all symbols, in their order; see :func:`.in_chunks`."""
        symbols = list(bars)
        if len(symbols) < _LEAST or (os.cpu_count() or 1) < 2:
            return in_chunks(recipe, length, iter(symbols), table, context)
        half = len(symbols) // 2
        with self._working:
            sent = self._send((recipe, length, symbols[half:], table, context))
            own = list(in_chunks(recipe, length, iter(symbols[:half]), table, context))
            other = self._receive() if sent else None
        if other is None:
            return chain(own, in_chunks(recipe, length, iter(symbols[half:]), table, context))
        return chain(own, other)

    def close(self) -> None:
        """End the other process."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, work: tuple[Any, ...]) -> bool:
        try:
            if self._connection is None:
                self._connection = _start()
            self._connection.send(work)
            return True
        except OSError as error:
            self._failed(error)
            return False

    def _receive(self) -> list[Piece] | None:
        assert self._connection is not None
        try:
            found: list[Piece] | Exception = self._connection.recv()
        except (OSError, EOFError) as error:
            found = error
        if isinstance(found, Exception):
            self._failed(found)
            return None
        return found

    def _failed(self, error: Exception) -> None:
        _log.warning("the second process for features failed (%r); this one computes all of them", error)
        self.close()


def _start() -> Connection:
    ours, theirs = Pipe()
    environment = {**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    descriptor = theirs.fileno()
    subprocess.Popen(
        [sys.executable, "-m", __name__, str(descriptor)],
        pass_fds=(descriptor,),
        env=environment,
        start_new_session=True,  # Ctrl-C is for this process, whose end ends the other one
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    return ours


def _serve(connection: Connection) -> None:
    """Featurise what is asked for until the other end is closed."""
    while True:
        try:
            recipe, length, bars, table, context = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer: object = list(in_chunks(recipe, length, iter(bars), table, context))
        except Exception as error:  # the other process computes it again, and reports it
            answer = error
        with suppress(OSError):  # the other process was killed: nothing more will be received
            connection.send(answer)


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))

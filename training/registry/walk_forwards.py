"""Walk-forward runs in the store: out-of-sample forecasts of all windows as one table, and their scores.

``<store>/walk_forward/<name>/run.json``, which is written last, and ``<kind>/window-00000.parquet`` … next to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, ValidationError

from configs.errors import ModelError, StoreError, shortened
from configs.safe_json import parse_json
from configs.values import Frozen
from features.store.parquet import read_parquet
from features.store.store import Store

FOLDER = "walk_forward"
LATEST = "latest"

_RUN = "run.json"
_AGAIN = "Run the same fleetcast walk-forward again; finished fits are kept."


class WindowScores(Frozen):
    """One fit and what its test window says of it.

    ``periods`` has the first and last day of train, valid and test; ``metrics`` are as of a training run; ``skipped``
    symbols have too few bars in the window, ``failed`` ones could not be fitted, each with the reason. ``file`` is the
    table of forecasts within the run's folder, and ``sha256`` its hash; empty if no symbol was fitted. ``blocks`` names
    the stored fits, and ``parameters`` has some of what was fitted, as means over symbols.
    """

    number: int
    periods: dict[str, tuple[str, str]]
    symbols: int
    metrics: dict[str, Any]
    skipped: dict[str, str] = Field(default_factory=dict)
    failed: dict[str, str] = Field(default_factory=dict)
    file: str = ""
    sha256: str = ""
    blocks: tuple[str, ...] = ()
    parameters: dict[str, float] = Field(default_factory=dict)


class KindScores(Frozen):
    """All windows of one kind of model, and the metrics over all of them with their errors clustered by day."""

    kind: str
    horizon: int
    metrics: dict[str, Any]
    windows: tuple[WindowScores, ...]

    @property
    def why_empty(self) -> str | None:
        """Why no window has a forecast with an outcome; None if one has."""
        if any(window.file for window in self.windows):
            return None
        reasons = {why for window in self.windows for why in (window.failed | window.skipped).values()}
        if not reasons:
            return "no forecast has an outcome yet, because the test windows are within the last bars"
        return f"no symbol could be fitted in any window ({shortened(sorted(reasons), 2)})"


class WalkForwardRun(Frozen):
    """A finished run: settings, hash of the data, scores by kind; ``left_over`` last dates were tested by no window.

    ``inputs`` are staged files with the symbols that were read from each, ``market`` names the file with the universe
    table and market series, and ``feature_names`` are the features.
    """

    name: str
    created: str
    config: dict[str, Any]
    data_hash: str
    bars: str
    symbols: tuple[str, ...]
    left_over: int
    kinds: dict[str, KindScores]
    inputs: tuple[tuple[str, tuple[str, ...]], ...]
    market: str
    feature_names: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every symbol was fitted wherever it had enough bars."""
        return not any(window.failed for scores in self.kinds.values() for window in scores.windows)


class WalkForwards:
    """The walk-forward runs of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def names(self) -> list[str]:
        """Return the names of finished runs, the newest last."""
        names = [name for name in self.store.names(FOLDER) if self.store.exists(f"{FOLDER}/{name}/{_RUN}")]
        return sorted(names, key=lambda name: self.store.changed_ns(f"{FOLDER}/{name}") or 0)

    def find(self, name: str) -> WalkForwardRun | None:
        """Return the run of this name, or None."""
        path = f"{FOLDER}/{name}/{_RUN}"
        return self._parsed(name) if self.store.exists(path) else None

    def read(self, name: str = LATEST) -> WalkForwardRun:
        """Return a run by its name or the beginning of it; ``latest`` is the newest.

        Raises
        ------
        ModelError
            There is no such run, several begin so, or its file is damaged.
        """
        names = self.names()
        if not names:
            raise ModelError(f"the store {self.store.uri!r} has no walk-forward run. Make one: fleetcast walk-forward.")
        found = names[-1:] if name == LATEST else [one for one in names if one.startswith(name)]
        if len(found) != 1:
            problem = f"several begin with {name!r} ({shortened(found)})" if found else f"there is no run {name!r}"
            raise ModelError(f"{problem}. The store has {shortened(names)}.")
        return self._parsed(found[0])

    def write(self, run: WalkForwardRun) -> None:
        """Store a run whose tables were written."""
        self.store.write_json(f"{FOLDER}/{run.name}/{_RUN}", parse_json(run.model_dump_json()))

    def write_table(self, name: str, kind: str, number: int, table: bytes) -> tuple[str, str]:
        """Store the forecasts of one window, and return the file's name within the run's folder and its SHA-256."""
        file = f"{kind}/window-{number:05d}.parquet"
        self.store.write(f"{FOLDER}/{name}/{file}", table)
        return file, hashlib.sha256(table).hexdigest()

    def forecasts(self, run: WalkForwardRun, kind: str, symbols: Collection[str] | None = None) -> pa.Table:
        """Return the out-of-sample forecasts of a kind: one row a symbol and date, ordered by both.

        Columns are ``symbol``, ``date``, ``window`` and those of the test table of a version: the forecast, its
        interval or label set, the forecasts of baselines, the outcome, and losses.

        Raises
        ------
        ModelError
            The run has no such kind or no forecast of it, or a file is missing or damaged.
        """
        if kind not in run.kinds:
            raise ModelError(f"walk-forward run {run.name} has no {kind} models; it has {', '.join(run.kinds)}.")
        tables = [self._table(run, window) for window in run.kinds[kind].windows if window.file]
        if not tables:
            raise ModelError(f"walk-forward run {run.name} has no forecast of {kind}: no symbol could be fitted.")
        table = pa.concat_tables(tables, promote_options="default")
        if symbols is not None:
            table = table.filter(pc.is_in(table["symbol"], value_set=pa.array(sorted(symbols), pa.string())))
        return table.sort_by([("symbol", "ascending"), ("date", "ascending")])

    def _table(self, run: WalkForwardRun, window: WindowScores) -> pa.Table:
        path = f"{FOLDER}/{run.name}/{window.file}"
        try:
            data = self.store.read(path)
        except FileNotFoundError as error:
            raise ModelError(f"{self.store.path(path)!r} is missing. {_AGAIN}") from error
        if hashlib.sha256(data).hexdigest() != window.sha256:
            raise ModelError(f"{self.store.path(path)!r} is corrupt: its SHA-256 differs. {_AGAIN}")
        return read_parquet(data)

    def _parsed(self, name: str) -> WalkForwardRun:
        path = f"{FOLDER}/{name}/{_RUN}"
        try:
            run = WalkForwardRun.model_validate(self.store.read_json(path))
        except (ValidationError, FileNotFoundError, StoreError) as error:
            raise ModelError(f"{self.store.path(path)!r} is damaged or of another version. {_AGAIN}") from error
        if run.name != name:
            raise ModelError(f"{self.store.path(path)!r} is the file of run {run.name}. {_AGAIN}")
        return run

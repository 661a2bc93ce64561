"""Plans of runs on sources of bars in memory."""

from collections.abc import Iterator
from types import MappingProxyType

import pandas as pd
import pytest

from features.bars.quarantine import COLUMNS, Quarantine
from features.store.store import Store
from training.run.run_plan import RunPlan, make_plan

NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE")


class Bars:
    """A source of bars in memory, with rows that are already quarantined."""

    name = "memory"
    read_as = MappingProxyType({})

    def __init__(self, bars, quarantined: dict[str, int] | None = None):
        self.bars = list(bars)
        self.missing: dict[str, str] = {}
        rows = [(s, "duplicate_date") for s, count in (quarantined or {}).items() for _ in range(count)]
        frame = pd.DataFrame(rows, columns=["symbol", "rule"], dtype="str").reindex(columns=list(COLUMNS))
        self.quarantine = Quarantine(frame) if rows else Quarantine.empty()

    def load(self, symbols=(), start=None, end=None) -> Iterator:
        yield from self.bars


@pytest.fixture
def planned(tmp_path, tiny_config, make_universe):
    def make(*overrides, bars=None, quarantined=None) -> RunPlan:
        source = Bars(make_universe(NAMES) if bars is None else bars, quarantined)
        return make_plan(source, tiny_config("run.block_symbols=2", *overrides), Store(str(tmp_path)), None)

    return make

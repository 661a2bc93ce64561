"""The plan of a run: trained and skipped symbols, shared inputs, and output names that identify their content."""

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.bars.arrays import PRICES
from features.bars.quarantine import COLUMNS, Quarantine
from features.bars.sessions import session_gaps
from features.store.store import Store
from training.run.job import POOLED, TESTED
from training.run.market_file import read_market
from training.run.run_plan import RunPlan, make_plan, read_plan, write_plan

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


def test_every_symbol_is_in_one_block_of_each_kind(planned):
    plan = planned()
    for kind in ("direction", "volatility"):
        assert sorted(s for job in plan.blocks(kind) for s in job.symbols) == list(NAMES)
        pooled = next(job for job in plan.jobs if job.kind == kind and job.name == POOLED)
        assert {job.needs for job in plan.blocks(kind)} == {pooled.output}
        assert sorted(pooled.symbols) == list(NAMES)
        tested = next(job for job in plan.jobs if job.kind == kind and job.name == TESTED)
        assert (tested.needs, pooled.needs) == (None, tested.output)
    assert [job.name for job in plan.jobs[:4]] == [TESTED] * 2 + [POOLED] * 2, "jobs that others need come first"
    assert plan.bars == 5 * 500


def test_the_per_symbol_strategy_has_no_pooled_fit(planned):
    plan = planned("direction.strategy=per_symbol", "run.kinds=[direction]")
    assert all(job.needs is None and job.is_block for job in plan.jobs)


def test_without_a_refit_one_pooled_fit_is_tested_and_published(planned):
    plan = planned("run.refit=false")
    assert sorted({job.name for job in plan.jobs if not job.is_block}) == [POOLED]
    assert not {job.output for job in plan.jobs} & {job.output for job in planned().jobs}


def test_with_many_bars_slow_members_of_volatility_are_jobs_that_come_first(planned, make_universe):
    bars = make_universe(NAMES, bars=2000)
    plan = planned("volatility.fit.pooled_rows=10000", bars=bars)
    members = ("lstm", "forest", "boosting")
    parts = [job for job in plan.jobs if job.part is not None]
    assert plan.jobs[:6] == tuple(parts)
    assert [job.label for job in parts] == [
        f"volatility/{name}-{part}" for name in (TESTED, POOLED) for part in members
    ]
    made = {job.name: job.output for job in parts}
    jobs = {(job.kind, job.name): job for job in plan.jobs}
    for name in (TESTED, POOLED):
        assert jobs["volatility", name].parts == tuple(made[f"{name}-{part}"] for part in members)
        assert jobs["direction", name].parts == ()
    for part in members:
        assert jobs["volatility", f"{TESTED}-{part}"].needs is None
        assert jobs["volatility", f"{POOLED}-{part}"].needs == made[f"{TESTED}-{part}"], "it repeats its choices"
    fewer = planned("volatility.fit.pooled_rows=9999", bars=bars)
    assert not any(job.part or job.parts for job in fewer.jobs)


def test_long_blocks_come_first(planned, make_universe):
    bars = [*make_universe(("S1", "S2"), bars=300), *make_universe(("L1", "L2"), bars=900)]
    plan = planned("run.kinds=[direction]", bars=bars)
    assert [job.symbols for job in plan.blocks("direction")] == [("L1", "L2"), ("S1", "S2")]


def test_equal_runs_have_equal_names_and_any_difference_changes_them(planned, make_universe):
    first = planned()
    assert planned() == first
    changed = [
        planned("run.seed=8"),
        planned("run.block_symbols=3"),
        planned("features.clip=4"),
        planned("split.valid_fraction=0.1"),
        planned(bars=make_universe(NAMES[:4])),
        planned(bars=make_universe(NAMES, seed=1)),
    ]
    outputs = {job.output for job in first.jobs}
    for other in changed:
        assert not outputs & {job.output for job in other.jobs}
    assert {plan.name for plan in (first, *changed)}.__len__() == 7


def test_settings_of_the_execution_do_not_change_names(planned):
    outputs = [job.output for job in planned().jobs]
    assert [job.output for job in planned("run.workers=3", "run.retries=0").jobs] == outputs


def test_skipped_symbols_have_reasons(planned, make_universe):
    good, flat, short, dirty, noted = make_universe(NAMES)
    flat = replace(flat, open=flat.open * 0 + 5, high=flat.high * 0 + 5, low=flat.low * 0 + 5, close=flat.close * 0 + 5)
    short = make_universe(("CCC",), bars=50)[0]
    plan = planned(bars=[good, flat, short, dirty, noted], quarantined={"DDD": 100, "EEE": 2, "CCC": 3})
    assert plan.skipped == {
        "BBB": "the price is constant",
        "CCC": "50 bars; at least 200 are needed (data.min_bars)",
        "DDD": "100 of 600 rows break a rule; at most 5% may (data.max_quarantined)",
    }
    assert plan.warnings == ("EEE: 2 of 502 rows were left out (duplicate_date 2)",)
    assert sorted(s for job in plan.blocks("direction") for s in job.symbols) == ["AAA", "EEE"]


def test_a_run_without_symbols_is_an_error_with_reasons(planned, make_universe):
    with pytest.raises(DataError, match=r"no symbol can be trained \(AAA: 90 bars; at least 200"):
        planned(bars=make_universe(("AAA",), bars=90))
    with pytest.raises(DataError, match="the source holds none"):
        planned(bars=[])


def test_a_warning_says_that_calendars_differ_and_features_are_lagged(planned, make_universe):
    (odd,) = make_universe(("COIN",), bars=500)
    odd = replace(odd, dates=odd.dates[0] + np.arange(500) * np.timedelta64(1, "D"))
    assert planned().warnings == ()
    bars = [*make_universe(NAMES), odd]
    assert planned(bars=bars).warnings == (
        "symbols trade on different calendars (24/5, 24/7), so universe features are lagged by one session, so "
        "that they do not use closes of later time zones (features.universe_lag=0 overrides)",
    )
    unlagged = planned("features.universe_lag=0", bars=bars)
    assert unlagged.warnings == ()
    assert unlagged.market != planned(bars=bars).market


def test_symbols_with_quarantined_rows_do_not_change_shared_inputs(planned, make_universe):
    """With one quarantined row a symbol is trained, but calendar, market file and pooled fit do not depend on it."""
    good = make_universe(NAMES[:4])
    (odd,) = make_universe(("ODD",), bars=520, seed=5)
    rows = np.delete(np.arange(520), [7, 90, 91])
    columns = ("dates", "open", "high", "low", "close", "volume")
    odd = replace(odd, **{name: getattr(odd, name)[rows] for name in columns})
    clean, mixed = planned(bars=good), planned(bars=[*good, odd], quarantined={"ODD": 1})
    assert mixed.market == clean.market
    assert mixed.splits == clean.splits
    pooled = [job for job in mixed.jobs if job.name == POOLED]
    assert all(set(job.symbols) == set(NAMES[:4]) for job in pooled)
    assert any("ODD" in job.symbols for job in mixed.blocks("direction"))


def on_sessions(bars, calendar):
    ends = np.array(["2015-01-05", "2019-12-27"], "datetime64[ns]")
    return replace(bars, dates=np.union1d(ends, session_gaps(ends, calendar))[: len(bars)])


def test_a_trained_symbol_with_other_sessions_lags_the_universe_even_with_a_quarantined_row(
    planned, make_universe, tmp_path
):
    *west, east = make_universe((*NAMES, "TOKYO"))
    bars = [*(on_sessions(one, "XNYS") for one in west), on_sessions(east, "XTKS")]
    clean, mixed = planned(bars=bars), planned(bars=bars, quarantined={"TOKYO": 1})
    tables = [read_market(Store(str(tmp_path)), plan.market)[0] for plan in (clean, mixed)]
    assert [(one.members, one.lag) for one in tables] == [(6, 1), (5, 1)]
    assert any("different calendars (XNYS, XTKS)" in note for note in mixed.warnings)


def test_a_skipped_symbol_does_not_change_the_calendar(planned, make_universe):
    good = make_universe(NAMES[:4])
    (odd,) = make_universe(("ODD",), seed=5)
    nonsense = replace(odd, dates=odd.dates + np.timedelta64(6, "h"))
    skipped = planned(bars=[*good, nonsense], quarantined={"ODD": 100})
    assert set(skipped.skipped) == {"ODD"}
    assert {job.output for job in skipped.jobs} == {job.output for job in planned(bars=good).jobs}


def test_a_mostly_quarantined_universe_uses_all_its_symbols(planned):
    plan = planned(quarantined={"AAA": 1, "BBB": 1, "CCC": 1})
    assert all(set(job.symbols) == set(NAMES) for job in plan.jobs if job.name == POOLED)


def test_the_pooled_sample_changes_little_with_the_universe(planned, make_universe):
    symbols = [f"S{i}" for i in range(12)]
    sizes = ("direction.fit.pooled_symbols=4", "run.kinds=[direction]")
    fewer = planned(*sizes, bars=make_universe(symbols[:11], bars=220)).jobs[0]
    more = planned(*sizes, bars=make_universe(symbols, bars=220)).jobs[0]
    assert len(fewer.symbols) == len(more.symbols) == 4
    assert len(set(fewer.symbols) & set(more.symbols)) >= 3


def test_workers_read_what_the_driver_planned(planned, tmp_path):
    plan, store = planned(), Store(str(tmp_path))
    write_plan(store, plan)
    _, read, universe, context = read_plan(store.uri, plan.name)
    assert read == plan.model_copy(update={"jobs": (), "clean": frozenset(), "skipped": {}, "warnings": ()})
    assert context is None
    assert (len(universe.dates), universe.members, universe.lag) == (500, 5, 0)
    split = read.split("volatility")
    assert split.train_end < split.valid_start < split.valid_end < split.test_start < split.test_end
    assert split.purge == 5


def test_a_block_is_named_after_its_symbols(planned, make_universe):
    """Blocks are filled in the order of the bars, so even a skipped symbol can move others to another block."""
    bars = make_universe(("A", "Q", "B", "C", "D"))
    plans = [
        planned(bars=bars, quarantined={"Q": 400}),
        planned(bars=[one for one in bars if one.symbol != "Q"]),
        planned(bars=bars[::-1], quarantined={"Q": 400}),
    ]
    assert "Q" in plans[0].skipped
    symbols = {}
    for plan in plans:
        for job in plan.jobs:
            assert symbols.setdefault(job.output, job.symbols) == job.symbols


def test_symbols_of_another_period_are_skipped_and_no_common_period_is_refused(planned, make_universe):
    bars = make_universe(NAMES)
    weekly = np.arange(np.datetime64("2005-01-07"), np.datetime64("2018-01-07"), 7)[:500].astype("datetime64[ns]")
    plan = planned(bars=[*bars[:4], replace(bars[4], dates=weekly)])
    assert plan.skipped["EEE"].startswith("weekly bars, and most symbols have daily ones")
    assert plan.bars == 4 * 500
    with pytest.raises(DataError, match=r"daily bars \(AAA\) and weekly bars \(BBB\) cannot be used together"):
        planned(bars=[bars[0], replace(bars[1], dates=weekly)])


def test_spikes_are_left_out_and_steps_rebased_or_their_symbols_skipped_as_the_setting_says(planned, make_universe):
    def off(bars, rows, ratio, volume=False):
        prices = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
        for values in prices.values():
            values[rows] *= ratio
        traded = bars.volume.copy()
        traded[rows] /= ratio if volume else 1.0
        return replace(bars, **prices, volume=traded)

    whole = make_universe((*NAMES, "FFF", "GGG"))
    bars = list(whole)
    bars[0] = off(bars[0], slice(300, 303), 10.0)
    bars[1] = off(bars[1], slice(300, None), 0.01)
    bars[2] = off(bars[2], slice(300, None), 0.1, volume=True)
    day = str(whole[0].dates[300])[:10]
    plan = planned(bars=bars)
    assert list(plan.skipped) == ["BBB"]
    assert f"×0.01 from {day} on (pence against pounds)" in plan.skipped["BBB"]
    assert "at most 0 may stay unexplained (data.max_unexplained_steps)" in plan.skipped["BBB"]
    assert plan.bars == 6 * 500 - 3
    notes = [note for note in plan.warnings if note.startswith(("AAA", "CCC"))]
    assert len(notes) == 2 and notes[0].startswith(
        "AAA: 3 bars were left out as spikes: ×9.955 on 2016-02-25 for 3 bars"
    )
    assert "CCC: prices before steps were multiplied by their ratio: ×0.1" in notes[1]
    pooled = next(job for job in plan.jobs if job.name == POOLED)
    assert not {"AAA", "BBB", "CCC"} & set(pooled.symbols), "what symbols share is of clean ones"
    assert list(planned("data.on_steps=refuse", bars=bars).skipped) == ["AAA", "BBB", "CCC"]
    kept = planned("data.on_steps=keep", bars=bars)
    assert (
        not kept.skipped and kept.bars == 7 * 500 and any("BBB: prices step: ×0.01" in note for note in kept.warnings)
    )
    assert not planned("data.on_steps=rebase", bars=bars).skipped
    assert not planned("data.max_unexplained_steps=1", bars=bars).skipped
    assert planned(bars=whole).warnings == planned("data.on_steps=keep", bars=whole).warnings == ()


def test_named_splits_are_part_of_what_is_trained(planned, make_universe):
    whole = make_universe(NAMES)
    splits = np.where(np.arange(500) == 300, 4.0, 1.0)
    prices = {name: np.where(np.arange(500) < 300, 4.0, 1.0) * getattr(whole[0], name) for name in PRICES}
    raw = replace(whole[0], **prices, volume=whole[0].volume / np.where(np.arange(500) < 300, 4.0, 1.0))
    named = planned(bars=[replace(raw, splits=splits), *whole[1:]])
    assert not named.skipped and any("4:1 split of the source not applied" in note for note in named.warnings)
    applied = planned(bars=[replace(whole[0], splits=splits), *whole[1:]])
    assert applied.data_hash == planned(bars=whole).data_hash and applied.warnings == planned(bars=whole).warnings
    wrong = planned(bars=[replace(raw, splits=np.where(splits == 4.0, 15.0, 1.0)), *whole[1:]])
    assert list(wrong.skipped) == ["AAA"] and "the source names a 15:1 split" in wrong.skipped["AAA"]

"""The plan of a run: trained and skipped symbols, shared inputs, and output names that identify their content."""

from features.store.store import Store
from training.run.job import POOLED, TESTED
from training.run.run_plan import read_plan, write_plan

NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE")


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

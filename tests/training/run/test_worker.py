"""A job from staged bars to a block in the store, without a cluster."""

import os
import subprocess
import sys
from types import MappingProxyType

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from configs.errors import DataError
from features.bars.quarantine import Quarantine
from features.store.store import Store
from training.data.arrays import part_of
from training.metrics.daily import DirectionDaily
from training.registry.blocks import read_block
from training.run.job import POOLED
from training.run.run_plan import make_plan, write_plan
from training.run.worker import needs_tensorflow, run_job

pytestmark = pytest.mark.slow


class Bars:
    """A source of bars in memory."""

    name = "memory"
    read_as = MappingProxyType({})

    def __init__(self, bars):
        self.bars, self.missing, self.quarantine = bars, {}, Quarantine.empty()

    def load(self, symbols=(), start=None, end=None):
        yield from self.bars


@pytest.fixture
def planned(tmp_path, tiny_config):
    def make(bars, *overrides):
        store = Store(str(tmp_path))
        plan = make_plan(Bars(bars), tiny_config("run.kinds=[direction]", *overrides), store, None)
        write_plan(store, plan)
        return store, plan

    return make


def test_a_block_contains_models_scores_and_test_predictions(planned, make_universe):
    store, plan = planned(make_universe(("AAA", "BBB")))
    seconds = [run_job(store.uri, plan.name, job) for job in plan.jobs]
    assert [job.name for job in plan.jobs] == ["tested", "pooled", "block-00000"]
    assert seconds[0].keys() == seconds[1].keys() == {"features", "fit", "write"}
    assert seconds[2].keys() == {"features", "fit", "evaluate", "write"}
    tested, pooled, block = (read_block(store, job.output) for job in plan.jobs)
    assert tested.symbols == pooled.symbols == ()
    assert block.symbols == ("AAA", "BBB")
    assert block.metrics["skipped"] == block.metrics["failed"] == {}
    assert block.metrics["per_symbol"]["AAA"]["log_loss"] > 0
    assert block.test is not None
    assert {"symbol", "date", "loss", "loss_prior", "loss_logistic"} <= set(block.test.column_names)
    daily = DirectionDaily.from_arrays(part_of(block.arrays, "daily"))
    assert daily.summary()["rows"] == len(block.test)


def test_a_job_without_a_network_does_not_import_tensorflow(planned, make_universe):
    store, plan = planned(make_universe(("AAA",)), "run.kinds=[volatility]", "volatility.model=har")
    code = f"""
import sys
from training.models.fleet.threads import use_threads
from training.run.job import Job
from training.run.worker import needs_tensorflow, run_job
use_threads(1)
assert not needs_tensorflow({store.uri!r}, {plan.name!r})
for job in {[job.model_dump_json() for job in plan.jobs]}:
    run_job({store.uri!r}, {plan.name!r}, Job.model_validate_json(job))
print([name for name in ("tensorflow", "keras", "ray") if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
    assert read_block(store, plan.jobs[-1].output).symbols == ("AAA",)


@pytest.mark.parametrize("settings", [(), ("run.kinds=[volatility]",)])
def test_a_run_with_networks_loads_tensorflow_before_its_first_job(planned, make_universe, settings):
    store, plan = planned(make_universe(("AAA",)), *settings)
    assert needs_tensorflow(store.uri, plan.name)
    assert not needs_tensorflow(store.uri, "missing"), "the first job says what is missing"


def test_a_short_symbol_is_skipped_and_the_others_of_its_block_are_fitted(planned, make_universe):
    bars = [*make_universe(("AAA", "BBB")), *make_universe(("NEW",), bars=500)]
    last = bars[2].dates[-1] - bars[2].dates[0]
    bars[2].dates[:] = bars[2].dates + last - np.timedelta64(60, "D")
    store, plan = planned(bars, "direction.strategy=per_symbol", "split.test_end=2016-12-01")
    (job,) = plan.jobs
    run_job(store.uri, plan.name, job)
    block = read_block(store, job.output)
    assert block.symbols == ("AAA", "BBB")
    assert "training windows; at least 60 are needed" in block.metrics["skipped"]["NEW"]


def test_a_block_without_symbols_to_fit_is_written_with_the_reasons(planned, make_universe):
    store, plan = planned(make_universe(("AAA",)), "direction.strategy=per_symbol", "split.train_end=2015-05-01")
    (job,) = plan.jobs
    run_job(store.uri, plan.name, job)
    block = read_block(store, job.output)
    assert block.symbols == ()
    assert set(block.metrics["skipped"]) == {"AAA"}
    assert block.metrics["per_symbol"] == {}


def test_a_pooled_fit_without_symbols_is_an_error_with_reasons(planned, make_universe):
    store, plan = planned(make_universe(("AAA", "BBB")), "split.train_end=2015-05-01")
    with pytest.raises(DataError, match=r"direction: none of 2 symbols can be fitted; AAA: \d+ training windows"):
        run_job(store.uri, plan.name, next(job for job in plan.jobs if job.name == POOLED))


def test_members_that_are_fitted_by_jobs_of_their_own_make_the_same_pooled_fits(planned, make_universe, monkeypatch):
    monkeypatch.setattr("training.tasks.volatility._ROWS_FOR_PARTS", 100)
    store, plan = planned(make_universe(("AAA", "BBB")), "run.kinds=[volatility]")
    shared = [job for job in plan.jobs if not job.is_block]
    assert [len(job.parts) for job in shared] == [0] * 6 + [3, 3]
    for job in shared:
        run_job(store.uri, plan.name, job)
    tested, pooled = shared[-2:]
    together = [tested.model_copy(update={"parts": (), "output": f"{tested.output}-together"})]
    together.append(
        pooled.model_copy(update={"parts": (), "output": f"{pooled.output}-x", "needs": together[0].output})
    )
    for job, whole in zip((tested, pooled), together, strict=True):
        run_job(store.uri, plan.name, whole)
        assert store.read(f"{job.output}.safetensors") == store.read(f"{whole.output}.safetensors")
    forest = read_block(store, pooled.parts[1]).arrays
    assert {name.split("/")[2] for name in forest if "/member/" in name} == {"forest"}, "a part has one member"


@pytest.mark.skipif(os.cpu_count() == 1, reason="linear algebra has one thread here anyway")
def test_numbers_do_not_depend_on_the_threads_of_the_process(planned, make_universe):
    """A Ray worker has as many threads as processors reserved for it; this process has as many as the machine."""
    wide = ("features.technical_indicators=[]", "features.max_features=null")
    store, plan = planned(make_universe(("AAA", "BBB", "CCC", "DDD"), bars=1500), *wide)
    blocks = []
    for threads in (1, 2):
        store.delete(plan.jobs[0].output + ".json")
        with threadpool_limits(threads):
            run_job(store.uri, plan.name, plan.jobs[0])
        blocks.append(store.read(plan.jobs[0].output + ".safetensors"))
    assert blocks[0] == blocks[1]

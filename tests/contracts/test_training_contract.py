"""What a training run promises: isolation, determinism, resume, and models that load as they were fitted."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import ConfigError
from features.store.store import Store
from features.universe import UniverseFacts
from training.predictors import predictor_from_block
from training.registry.manager import ModelManager
from training.run.kind_result import KindResult
from training.run.local import run_here
from training.run.publication import publish_kind
from training.run.queue import JobQueue
from training.trainer import ModelTrainer

pytestmark = pytest.mark.slow

CLEAN = ("AAA", "BBB", "CCC", "DDD")
KINDS = ("direction", "volatility")
FIELDS = ("open", "high", "low", "close", "volume")


class Run:
    """A training run in this process, and its results."""

    def __init__(self, config, store: Path):
        self.trainer = ModelTrainer(config, str(store))
        prepared = self.trainer.prepare()
        self.plan, self.before = prepared.plan, prepared.done
        self.progress = []
        queue = JobQueue(self.plan.jobs, config.run.retries, set(prepared.done))
        self.queue = run_here(self.trainer.store.uri, self.plan.name, queue, self.progress.append)
        self.results: dict[str, KindResult] = {
            kind: publish_kind(self.trainer.models, self.plan, kind, self.queue, "auto") for kind in config.run.kinds
        }

    def model(self, kind: str, symbol: str):
        """Return the predictor of one symbol."""
        return predictor_from_block(self.trainer.models.load_block(kind, "latest", symbol), (symbol,))


def write_bars(folder: Path, bars) -> None:
    folder.mkdir(exist_ok=True)
    for series in bars:
        frame = pd.DataFrame({"date": series.dates, **{f: getattr(series, f) for f in FIELDS}})
        frame.to_csv(folder / f"{series.symbol}.csv", index=False)


def break_bars(folder: Path, make_universe) -> None:
    """Add a symbol for each way in which data can be broken."""
    write_bars(folder, make_universe(("EMPTY", "FLAT", "SHORT", "TWICE", "MINUS")))
    for name in ("EMPTY", "FLAT", "SHORT", "TWICE", "MINUS"):
        path = folder / f"{name}.csv"
        frame = pd.read_csv(path)
        prices = list(FIELDS[:4])
        if name == "EMPTY":
            frame[prices] = np.nan
        elif name == "FLAT":
            frame[prices] = 12.5
        elif name == "SHORT":
            frame = frame.tail(30)
        elif name == "TWICE":
            again = frame.iloc[[250]].assign(close=lambda row: row["close"] * 1.01, high=lambda row: row["high"] * 1.02)
            frame = pd.concat([frame.iloc[:251], again, frame.iloc[251:]])
        else:
            frame.loc[100:180, prices] *= -1.0
        frame.to_csv(path, index=False)


@pytest.fixture(scope="module")
def bars_folder(tmp_path_factory, make_universe):
    folder = tmp_path_factory.mktemp("bars")
    write_bars(folder, make_universe(CLEAN))
    return folder


@pytest.fixture(scope="module")
def configured(tiny_config, bars_folder):
    return lambda *more: tiny_config(f"data.bars={bars_folder}", "run.block_symbols=2", *more)


@pytest.fixture(scope="module")
def pooled_run(configured, tmp_path_factory):
    """A run whose store tests only read."""
    return Run(configured(), tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(pooled_run, tmp_path):
    """A copy of the run's store that a test may change."""
    return shutil.copytree(pooled_run.trainer.store.uri, tmp_path / "store")


@pytest.mark.parametrize("strategy", [pytest.param("per_symbol", marks=pytest.mark.slow), "pooled"])
def test_broken_symbols_are_reported_and_leave_the_other_symbols_unaffected(
    configured, pooled_run, tmp_path, make_universe, strategy
):
    settings = [f"{kind}.strategy={strategy}" for kind in KINDS]
    clean = pooled_run if strategy == "pooled" else Run(configured(*settings), tmp_path / "clean")
    mixed = tmp_path / "bars"
    write_bars(mixed, make_universe(CLEAN))
    break_bars(mixed, make_universe)
    broken = Run(configured(f"data.bars={mixed}", *settings), tmp_path / "broken")
    assert broken.plan.warnings == ("TWICE: 1 of 501 rows were left out (duplicate_date 1)",)
    for kind in KINDS:
        reasons = dict(broken.results[kind].skipped)
        assert set(reasons) == {"EMPTY", "FLAT", "SHORT", "MINUS"}
        assert "all 500 rows break a rule" in reasons["EMPTY"]
        assert reasons["FLAT"] == "the price is constant"
        assert reasons["SHORT"] == "30 bars; at least 200 are needed (data.min_bars)"
        assert reasons["MINUS"] == "81 of 500 rows break a rule; at most 5% may (data.max_quarantined)"
        assert not broken.results[kind].failed
        assert set(broken.trainer.models.roster(kind).symbols()) == {*CLEAN, "TWICE"}
        for symbol in CLEAN:
            ours, theirs = clean.model(kind, symbol).to_arrays(), broken.model(kind, symbol).to_arrays()
            assert ours.keys() == theirs.keys()
            for name in ours:
                # Trees are stored as wide as the largest of their block.
                width = tuple(slice(min(sizes)) for sizes in zip(ours[name].shape, theirs[name].shape, strict=True))
                np.testing.assert_array_equal(ours[name][width], theirs[name][width], err_msg=f"{symbol} {name}")


def test_the_same_run_twice_is_byte_equal(block_files, configured, pooled_run, tmp_path):
    Run(configured(), tmp_path)
    first, second = block_files(Path(pooled_run.trainer.store.uri)), block_files(tmp_path)
    assert len(first) == 2 * (2 * 2 + 2 * 3), "two kinds of two pooled fits (two files) and two blocks (three)"
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_a_run_that_was_stopped_continues_where_it_was(block_files, configured, pooled_run, store):
    first, complete = pooled_run, block_files(store)
    outputs = {(job.kind, job.name): job.output for job in first.plan.jobs}
    lost_outputs = tuple(outputs[kind, "block-00001"] for kind in KINDS)
    lost = sorted(name for name in complete if name.startswith(lost_outputs))
    damaged = outputs["direction", "block-00000"] + ".safetensors"
    for name in lost:
        (store / name).unlink()
    (store / damaged).write_bytes(complete[damaged][:100])
    inodes = {name: (store / name).stat().st_ino for name in complete if name not in lost and name != damaged}
    second = Run(configured(), store)
    assert block_files(store) == complete
    again = {Path(name).with_suffix("").with_suffix("").as_posix() for name in (*lost, damaged)}
    assert second.before == set(outputs.values()) - again
    untouched = [name for name in inodes if not name.startswith(tuple(again))]
    assert untouched
    assert all((store / name).stat().st_ino == inodes[name] for name in untouched)
    for kind in KINDS:
        assert second.results[kind].version == first.results[kind].version, "the same blocks are the same version"


def test_a_finished_run_does_nothing_again(configured, store):
    again = Run(configured(), store)
    assert again.before == {job.output for job in again.plan.jobs}
    assert [step.jobs_done for step in again.progress] == [len(again.plan.jobs)]


def test_another_seed_is_another_run(configured, pooled_run):
    other = ModelTrainer(configured("run.seed=8"), pooled_run.trainer.store).prepare()
    assert not other.done
    assert other.plan.data_hash == pooled_run.plan.data_hash


def test_a_change_of_one_kind_leaves_the_blocks_of_the_other_kind_alone(configured, pooled_run):
    other = ModelTrainer(configured("direction.fit.epochs=5"), pooled_run.trainer.store).prepare()
    assert {job.kind for job in other.plan.jobs if job.output in other.done} == {"volatility"}


def test_a_published_model_forecasts_as_it_was_fitted(configured, tmp_path, make_universe):
    manager = Run(configured("run.refit=false"), tmp_path).trainer.models
    bars = make_universe(CLEAN)
    for kind, name in (("direction", "price_direction_aaa"), ("volatility", "volatility_aaa")):
        loaded = manager.load_model(name, version="champion")
        assert loaded.symbols == ("AAA",)
        assert loaded.kind == kind
        found = loaded.predict(bars)
        assert found["basis"].groupby("symbol").first().to_dict() == {"AAA": "own"} | dict.fromkeys(CLEAN[1:], "pooled")
        found = found.loc[["AAA"]]
        table = pd.concat(part.to_pandas() for part in manager.test_predictions(kind))
        table = table[table["symbol"] == "AAA"].set_index("date")
        columns = {"down": "p_down", "up": "p_up"} if kind == "direction" else {"variance": "forecast"}
        assert len(table) > 50
        for ours, theirs in columns.items():
            live = found[ours].droplevel("symbol").loc[table.index]
            np.testing.assert_allclose(live, table[theirs], rtol=1e-4)


def test_a_model_is_the_champions_unless_a_version_is_named(configured, store):
    manager = ModelManager(Store(store))
    before = manager.aliases("volatility")
    trainer = ModelTrainer(configured("volatility.members=[linear]"), str(store))
    (later,) = trainer.train_multi_asset_models([], ["volatility"], promote="never").results
    assert later.version == manager.latest("volatility") != before.champion
    assert manager.load_model("volatility_aaa").config.volatility.members != ("linear",)
    assert manager.load_model("volatility_aaa", version="latest").config.volatility.members == ("linear",)


def test_a_wrong_kind_is_one_line(pooled_run):
    with pytest.raises(ConfigError, match=r"run\.kinds\.0 has value 'vol'"):
        pooled_run.trainer.prepare([], ["vol"])


def test_a_model_of_one_symbol_warns_when_it_lacks_its_universe(pooled_run, make_universe):
    loaded = ModelManager(Store(pooled_run.trainer.store.uri)).load_model("volatility_aaa")
    assert loaded.universe == UniverseFacts(members=len(CLEAN), lag=0)
    (alone,) = make_universe(("AAA",))
    with pytest.warns(
        UserWarning, match="bars of 1 of the universe's symbols are given, and the model was fitted with 4"
    ):
        found = loaded.predict(alone)
    assert (found["volatility"] > 0).all()
    assert found.index.equals(loaded.predict(make_universe(CLEAN)).loc[["AAA"]].index)


def test_every_kind_is_scored_next_to_its_baselines(pooled_run):
    direction, volatility = pooled_run.results["direction"].summary, pooled_run.results["volatility"].summary
    assert {"log_loss", "log_loss_prior", "log_loss_logistic", "coverage", "ece"} <= direction.keys()
    assert {"qlike", "qlike_ewma", "qlike_garch", "qlike_log_har", "qlike_log_har_pooled"} <= volatility.keys()
    assert set(pooled_run.results["direction"].per_symbol) == set(CLEAN)

"""Walk-forward runs: what is fitted again, what each window sees, and what the stitched forecasts are."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from rich.console import Console

from cluster.views.walk_stability import importance_parts
from cluster.views.walk_tables import render_walk
from configs.errors import ConfigError, DataError, ModelError, StoreError
from features.any_bars import load_bars
from features.sources.given import GivenSource
from features.store.parquet import to_frame
from features.store.store import Store
from training import BacktestValidator, PriceDirectionPredictor, VolatilityPredictor
from training.registry.block_files import read_index, read_test
from training.registry.walk_forwards import WalkForwards
from training.run.execute import do_jobs
from training.run.run_plan import make_plan, write_plan
from training.validation.stability import stability
from training.walk_forward import WalkForward
from training.walk_importances import importances_by_window

pytestmark = pytest.mark.slow

NAMES = ("AAA", "BBB", "CCC")
WINDOWS = ["walk_forward={train_window: 260, test_window: 60}", "run.block_symbols=8"]
KINDS = ("direction", "volatility")


@pytest.fixture(scope="module")
def config(tiny_config):
    return tiny_config(*WINDOWS, "volatility.members=[boosting]")


@pytest.fixture(scope="module")
def longer(make_universe):
    return make_universe(NAMES, bars=515)


@pytest.fixture(scope="module")
def bars(longer):
    return [one.first(450) for one in longer]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(str(tmp_path_factory.mktemp("walk")))


def run(config, store, bars):
    walk = WalkForward(config, store)
    return walk.run(walk.prepare(GivenSource(bars)))


@pytest.fixture(scope="module")
def cold(config, store, bars):
    """Three windows of both kinds, each a pooled fit and a block."""
    result = run(config, store, bars)
    assert result.fits == result.jobs == 12 and not result.failed and result.run.left_over == 10
    return result


def render(*parts):
    console = Console(file=StringIO(), width=100)
    console.print(*parts)
    return console.file.getvalue()


def table(store, run, kind, **options):
    return to_frame(WalkForwards(store).forecasts(run, kind, **options))


def test_every_date_of_every_window_is_forecast_once(cold, store, bars, config):
    for kind in KINDS:
        found = table(store, cold.run, kind)
        assert not found.duplicated(["symbol", "date"]).any()
        tested = bars[0].dates[260:440]
        for symbol in NAMES:
            own = found[found["symbol"] == symbol]
            np.testing.assert_array_equal(own["date"].to_numpy(), tested)
            np.testing.assert_array_equal(own["window"], np.repeat([0, 1, 2], 60))
        outcome = "label" if kind == "direction" else "target"
        assert found.notna().all().all() and {outcome, "loss"} <= set(found.columns)
        assert len(table(store, cold.run, kind, symbols=["BBB"])) == 180
    assert {"p_up_prior", "p_up_logistic"} <= set(table(store, cold.run, "direction").columns)
    assert {"forecast_ewma", "forecast_log_har"} <= set(table(store, cold.run, "volatility").columns)


def test_the_same_run_again_fits_nothing(cold, store, bars, config):
    again = run(config, store, bars)
    assert again.fits == 0 and again.run == cold.run
    assert WalkForwards(store).read() == cold.run == WalkForwards(store).read(cold.run.name[:6])
    with pytest.raises(ModelError, match="no run 'zzz'"):
        WalkForwards(store).read("zzz")


def test_one_more_window_of_bars_fits_one_window_and_changes_no_other(cold, store, longer, config):
    more = run(config, store, longer)
    assert more.fits == 4 and len(more.run.kinds["direction"].windows) == 4
    for kind in KINDS:
        for before, after in zip(cold.run.kinds[kind].windows, more.run.kinds[kind].windows, strict=False):
            assert before == after, "forecasts, scores and their bytes"


def test_a_changed_bar_fits_again_the_windows_that_saw_it(cold, store, bars, config):
    def changed(row):
        close = bars[1].close.copy()
        close[row] *= 1.0001
        return [bars[0], replace(bars[1], close=close), bars[2]]

    volatility = config.model_copy(update={"run": config.run.model_copy(update={"kinds": ("volatility",)})})
    assert run(volatility, store, bars).fits == 0, "kinds do not depend on each other"
    assert run(volatility, store, changed(449)).fits == 0, "a bar after the last outcome"
    tested = run(volatility, store, changed(385))
    assert tested.fits == 0 and tested.run.kinds["volatility"].windows[:2] == cold.run.kinds["volatility"].windows[:2]
    assert tested.run.kinds["volatility"].windows[2] != cold.run.kinds["volatility"].windows[2], "a bar of its test"
    assert run(volatility, store, changed(330)).fits == 2, "in the train window of the last"
    assert run(volatility, store, changed(270)).fits == 4, "in the train windows of two"


def test_bars_that_end_with_a_window_are_tested_again_when_its_outcomes_come(longer, config, tmp_path):
    """The fits of the other windows stay, and all is as if the longer bars had been there at once."""
    volatility = config.model_copy(update={"run": config.run.model_copy(update={"kinds": ("volatility",)})})
    first, later = Store(str(tmp_path / "a")), Store(str(tmp_path / "b"))
    before = run(volatility, first, [one.first(320) for one in longer])
    assert before.fits == 2 and before.run.left_over == 0
    assert len(table(first, before.run, "volatility")) == 3 * (60 - config.volatility.horizon)
    after, whole = (run(volatility, store, [one.first(380) for one in longer]) for store in (first, later))
    assert (after.fits, whole.fits) == (2, 4)
    assert after.run.kinds == whole.run.kinds, "bytes included"


def test_a_lost_block_alone_is_fitted_again(cold, store, bars, config, block_files):
    before = block_files(Path(store.root))
    lost = next(job for job in cold.plan.jobs if job.is_block and job.fold == 1)
    store.delete(lost.output + ".safetensors")
    again = run(config, store, bars)
    assert again.fits == 0 and again.run.kinds == cold.run.kinds
    after = block_files(Path(store.root))
    assert before == after


def test_a_window_forecasts_what_training_on_its_dates_does(cold, store, bars, config, tmp_path):
    """The first window sees all bars from the first on, as a training run with these dates does."""
    (window, *_), other = cold.run.kinds["volatility"].windows, Store(str(tmp_path))
    days = {f"{part}_end": window.periods[part][1] for part in ("train", "valid", "test")}
    split = config.split.model_validate(days | {"test_start": window.periods["test"][0]})
    single = config.model_copy(
        update={"split": split, "run": config.run.model_copy(update={"refit": False, "kinds": ("volatility",)})}
    )
    plan = make_plan(GivenSource(bars), single, other, None)
    write_plan(other, plan)
    do_jobs(other, plan, (), lambda progress: None)
    (job,) = plan.blocks("volatility")
    expected = to_frame(read_test(other, job.output, read_index(other, job.output))).sort_values(["symbol", "date"])
    found = table(store, cold.run, "volatility")
    found = found[found["window"] == 0].merge(expected, on=["symbol", "date"], suffixes=("", "_single"))
    assert len(found) == len(expected) == 3 * (60 - config.volatility.horizon)
    for name in ("forecast", "low", "high", "target", "loss"):
        np.testing.assert_allclose(found[name], found[f"{name}_single"], rtol=2e-5, err_msg=name)


def test_the_command_shows_a_stored_run(cold, store, bars, tmp_path, call, tiny_config):
    done = call("walk-forward", "--store", store.uri, "--purge", "soon")
    assert done.code == 2 and "--purge 'soon' is not usable; expected auto" in done.err
    done = call("walk-forward", "--store", str(tmp_path), "--bars", "embedded", "--train-window", "9000")
    assert done.code == 2 and "dates are given; one train window of 9000" in done.err


def test_a_disk_that_is_full_while_stitching_loses_nothing(walked, tiny_config, tmp_path, file_size_limit):
    store = Store(str(copytree(walked.store, tmp_path / "store")))
    before = WalkForwards(store).read()
    config = tiny_config(f"data.bars={walked.bars}", *WINDOWS, "volatility.members=[boosting]")
    store.delete(f"walk_forward/{before.name}")
    walk = WalkForward(config, store)
    prepared = walk.prepare()
    assert prepared.is_finished and prepared.plan.name == before.name
    with file_size_limit(2_000), pytest.raises(StoreError, match=r"window-00000\.parquet.*File too large.*space"):
        walk.run(prepared)
    assert WalkForwards(store).names() == [], "a run without all tables does not appear"
    again = walk.run(prepared)
    assert again.fits == 0 and again.run.kinds == before.kinds, "bytes included"


def test_fitted_parameters_and_importances_are_shown_by_window(cold, store):
    for kind in KINDS:
        found = [window.parameters for window in cold.run.kinds[kind].windows]
        assert len(found) == 3 and all(one.keys() == found[0].keys() for one in found)
        expected = {"weight.boosting", "anchor.mean_5", "garch.persistence", "interval.low", "interval.high"}
        assert (expected if kind == "volatility" else {"prior.up", "calibration.scale"}) <= found[0].keys()
        importances = importances_by_window(store, cold.plan, kind)
        assert list(importances) == [0, 1, 2]
        for one in importances.values():
            assert tuple(one) == cold.plan.feature_names and np.isfinite(list(one.values())).all() and any(one.values())
    shown = render(*render_walk(cold.run))
    assert "fitted parameter" in shown and "garch.persistence" in shown and "calibration.scale" in shown
    persistence = [window.parameters["garch.persistence"] for window in cold.run.kinds["volatility"].windows]
    assert 0 < min(persistence) <= max(persistence) <= 1
    text = render(*importance_parts({"volatility": importances_by_window(store, cold.plan, "volatility")}))
    best = stability(list(importances_by_window(store, cold.plan, "volatility").values()))["mean"].idxmax()
    assert "in 3 windows" in text and "rank correlation" in text and text.splitlines()[1].startswith(f"{best} ")


def test_from_python(store, bars):
    validator = BacktestValidator(store)
    frame = load_bars("embedded", ["IBM", "AAPL"], end="2002-06-30")
    model = VolatilityPredictor(model_type="har", horizon=5)
    found = validator.run_walk_forward_analysis(model, frame, train_window=252, test_window=126)
    assert len(found.windows) == 2 and found.left_over == 80 and set(found.run.symbols) == {"IBM", "AAPL"}
    assert found.forecasts.loc["IBM"].index.is_monotonic_increasing and {"qlike", "qlike_se"} <= set(found.metrics)
    again = validator.run_walk_forward_analysis(model, frame, train_window=252, test_window=126)
    assert again.fits == 0 and again.forecasts.equals(found.forecasts)
    days = sorted(frame["date"].unique())[:252]
    with pytest.raises(ModelError, match=r"no forecast has an outcome yet.* within the last bars. Add bars"):
        validator.run_walk_forward_analysis(model, frame[frame["date"].isin(days)], train_window=251, test_window=1)
    with pytest.raises(DataError, match="need 9063"):
        validator.run_walk_forward_analysis(PriceDirectionPredictor, frame, train_window=9000)
    with pytest.raises(ConfigError, match="model is of type str; expected PriceDirectionPredictor"):
        validator.run_walk_forward_analysis("direction", frame)
    with pytest.raises(ConfigError, match="test_windows"):
        validator.run_walk_forward_analysis(model, frame, test_windows=3)


def test_scores_are_json(cold):
    assert json.loads(cold.run.model_dump_json())["kinds"]["direction"]["metrics"]["log_loss"] > 0

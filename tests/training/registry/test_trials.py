"""The trial ledger: the same trial counts once, and none is lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from configs.errors import ConfigError, ModelError, StoreError
from features.store.store import Store
from training.registry.pruning import prune
from training.registry.trials import FOLDER, Trial, TrialLedger, version_trial

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def backtest(number, sharpe=None):
    return Trial(kind="backtest", name=f"b{number}", identity=[number, {"name": "direction"}], sharpe=sharpe)


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path))


def test_trials_count_once_and_a_continued_study_counts_its_trials(store):
    ledger = TrialLedger(store)
    assert ledger.tried() == (0, ())
    for trial in (backtest(1, 0.5), backtest(1, 0.5), backtest(2, -0.25), backtest(3)):
        ledger.add(trial)
    assert ledger.tried() == (3, (-0.25, 0.5))
    for count in (5, 8):
        ledger.add(Trial(kind="study", name="s", identity="s", count=count))
    assert ledger.tried().trials == 11


def test_threads_that_add_at_once_lose_nothing(store):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: TrialLedger(store).add(backtest(i % 20, i % 20)), range(80)))
    assert TrialLedger(store).tried().trials == 20


def test_published_versions_count_and_pruned_ones_still_do(store):
    names = [f"2026010{day}T000000Z-abcdef" for day in (1, 2, 3)]
    for name in names:
        store.write(f"models/volatility/{name}/manifest.json", b"{}")
    ledger = TrialLedger(store)
    assert ledger.tried() == (3, ())
    ledger.add(version_trial("volatility", names[0]))
    assert ledger.tried() == (3, ())
    assert prune(store, "volatility", frozenset(), 1, None, timedelta(0)).versions == tuple(names[:2])
    assert ledger.tried() == (3, ())


def test_a_damaged_trial_is_an_error_because_leaving_it_out_would_flatter(store):
    ledger, trial = TrialLedger(store), backtest(1, 1.0)
    ledger.add(trial)
    path = f"{FOLDER}/{trial.file}"
    store.write(path, store.read(path).replace(b"1.0", b"9.0"))
    with pytest.raises(StoreError, match="damaged"):
        ledger.tried()
    store.write(path, b'{"kind": "backtest"}')
    with pytest.raises(StoreError, match="not a trial"):
        ledger.tried()
    store.write_json(path, backtest(2).model_dump())
    with pytest.raises(StoreError, match="another trial's file"):
        ledger.tried()
    store.write(f"{FOLDER}/removed/{trial.file}", b"{}")
    store.delete(path)
    with pytest.raises(StoreError, match="not a removed trial"):
        ledger.removed()


def test_a_removed_trial_is_recorded_and_counts_again_when_it_is_tried_again(store):
    ledger, mistaken = TrialLedger(store), backtest(1, 9.0)
    ledger.add(mistaken)
    ledger.add(backtest(2, 0.5))
    assert ledger.remove(mistaken.file.removesuffix(".json"), "bars of another symbol", NOW) == mistaken
    assert ledger.tried() == (1, (0.5,))
    (gone,) = ledger.removed()
    assert gone.trial == mistaken and gone.reason == "bars of another symbol" and gone.removed_at == NOW.isoformat()
    ledger.add(mistaken)
    assert ledger.tried().trials == 2 and not ledger.removed()


def test_what_cannot_be_removed_stays(store):
    ledger, trial = TrialLedger(store), backtest(1, 1.0)
    ledger.add(trial)
    with pytest.raises(ConfigError, match="without a reason"):
        ledger.remove(trial.file, " ", NOW)
    with pytest.raises(ModelError, match="there is none"):
        ledger.remove("0123456789abcdef", "typing error", NOW)
    assert ledger.trials() == [trial] and not ledger.removed()

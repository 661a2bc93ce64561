"""``fleetcast retrain``: what is due and why. Trainings are tested in ``tests/serving/retraining``."""

import json

import pytest

from serving.journal import open_journal
from serving.journal.leases import acquire
from training.registry.manager import ModelManager

pytestmark = pytest.mark.slow


def test_a_dry_run_says_what_is_due_and_in_which_order(call, trained, tmp_path):
    database = ("--database", f"sqlite:///{tmp_path / 'journal.db'}")
    where = ("--kinds", "direction", "--store", str(trained.store), *database)
    models = ModelManager(trained.store)
    versions = models.versions("direction")
    done = call("retrain", "--dry-run", *where)
    assert done.code == 0 and "direction is not trained: next on" in done.out, "it was made just now"
    assert done.out.split("\n")[1].split() == ["symbol", "priority", "staleness", "drift", "exposure"]
    found = json.loads(call("retrain", "--dry-run", "--force", "--json", *where).out)
    assert [(one["kind"], one["reason"]) for one in found] == [("direction", "it was asked for")]
    assert found[0]["champion"] == models.aliases("direction").champion
    assert sorted(one["symbol"] for one in found[0]["order"]) == models.roster("direction", versions[-1]).symbols()
    with open_journal(database[1]) as journal:
        acquire(journal, "bot:desk")
    wrong = call("retrain", "--dry-run", "--bot", "desk2", *where)
    assert wrong.code == 2 and "the journal has no bot 'desk2'. Did you mean 'desk'?" in wrong.err
    where = ("--bot", "desk", *where)
    assert call("retrain", *where).code == 0
    assert models.versions("direction") == versions


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--due", "--force"), "exclude each other"),
        (("--kinds", "price"), "is not a kind of model"),
        (("--store", "/nonexistent-store"), "there is no store"),
        (("--set", "retrain.alpha=2"), "retrain.alpha"),
    ],
)
def test_what_cannot_be_is_one_error(call, arguments, says):
    done = call("retrain", *arguments)
    assert done.code == 2 and says in done.err


def test_a_store_without_models_says_how_to_make_one(call, tmp_path):
    (tmp_path / "store").mkdir()
    done = call("retrain", "--dry-run", "--store", str(tmp_path / "store"))
    assert done.code == 2 and "has no champion to train again. Make one: fleetcast train" in done.err

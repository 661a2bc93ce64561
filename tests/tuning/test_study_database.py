"""The database of studies on a server."""

import optuna
import pytest

from features.store.store import Store
from tuning.study_database import open_database


@pytest.mark.slow
def test_studies_live_in_postgres_and_its_password_is_not_shown(make_database, tmp_path):
    url = make_database()
    with open_database(Store(tmp_path), url) as (storage, public):
        study = optuna.create_study(storage=storage, study_name="first")
        study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=2)
    with open_database(Store(tmp_path), url) as (storage, public):
        assert len(optuna.load_study(study_name="first", storage=storage).trials) == 2
    assert ":***@" in public and public != url

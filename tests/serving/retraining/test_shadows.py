"""Shadows: a new champion with bad forecasts is replaced by its predecessor, a good one stays."""

from datetime import timedelta

import numpy as np
import pytest
from shadow_market import KIND, START, journal_forecasts, market
from sqlalchemy import select

from serving.journal.schema import alerts, shadows
from serving.retraining.plan import plan_retraining
from serving.retraining.shadows import check_shadows, hold_until, open_shadows

DAYS = 60
END = START + timedelta(days=DAYS + 30)


@pytest.fixture
def promoted(models, journal, config):
    """The second version has replaced the first, and the bot has seen it."""
    old, new = models.versions(KIND)
    models.promote(KIND, new, "its test loss is lower")
    assert check_shadows(journal, models, config, "bot", START) == []
    return old, new


def rows(journal, table):
    with journal.connect() as connection:
        return list(connection.execute(select(table)))


def events(journal):
    return sorted(row.event for row in rows(journal, alerts))


def test_a_promotion_starts_a_shadow_and_is_reported_once(journal, models, config, promoted):
    old, new = promoted
    check_shadows(journal, models, config, "bot", START + timedelta(days=1))
    with journal.connect() as connection:
        assert open_shadows(connection) == {KIND: old}
    (alert,) = rows(journal, alerts)
    assert alert.event == "promotion" and f"{new} replaces {old}" in alert.title
    assert "its test loss is lower" in alert.body


def test_scrambled_forecasts_bring_the_former_champion_back_with_an_alert_and_a_hold(journal, models, config, promoted):
    old, new = promoted
    chances, labels = market(DAYS)
    scrambled = np.random.default_rng(1).permutation(chances.reshape(-1, 3)).reshape(chances.shape)
    journal_forecasts(journal, new, scrambled, labels)
    journal_forecasts(journal, old, chances, labels, is_shadow=True)
    (early,) = check_shadows(journal, models, config, "bot", START + timedelta(days=3))
    assert early.verdict is None and models.aliases(KIND).champion == new
    (found,) = check_shadows(journal, models, config, "bot", END)
    assert found.verdict == "rolled back" and models.aliases(KIND).champion == old
    assert (
        models.aliases(KIND).history[-1].action == "rollback"
        and "proved worse" in models.aliases(KIND).history[-1].reason
    )
    assert events(journal) == ["promotion", "rollback"]
    again = END + timedelta(days=1)
    assert check_shadows(journal, models, config, "bot", again) == [] and events(journal) == ["promotion", "rollback"]
    with journal.connect() as connection:
        assert hold_until(connection, KIND, config, again) == END + timedelta(days=28)
        assert hold_until(connection, KIND, config, END + timedelta(days=28)) is None
        assert open_shadows(connection) == {}
    (plan,) = plan_retraining(journal, models, config, "bot", again, kinds=[KIND])
    assert plan.hold_until == END + timedelta(days=28) and plan.champion == old


def test_a_process_that_ends_after_the_swap_reports_it_at_the_next_check(journal, models, config, promoted):
    old, new = promoted
    chances, labels = market(DAYS)
    journal_forecasts(journal, new, np.flip(chances, axis=2), labels)
    journal_forecasts(journal, old, chances, labels, is_shadow=True)
    models.rollback(KIND, "the registry was changed, the journal was not")
    (found,) = check_shadows(journal, models, config, "bot", END)
    assert found.verdict == "rolled back" and models.aliases(KIND).champion == old
    assert events(journal) == ["promotion", "rollback"]


def test_a_champion_that_is_as_good_is_kept(journal, models, config, promoted):
    old, new = promoted
    config = config.model_copy(update={"retrain": config.retrain.model_copy(update={"shadow_days": DAYS})})
    chances, labels = market(DAYS)
    journal_forecasts(journal, new, chances, labels)
    journal_forecasts(journal, old, 0.9 * chances + 0.1 / 3, labels, is_shadow=True)
    (found,) = check_shadows(journal, models, config, "bot", END)
    assert (found.verdict, found.days) == ("kept", DAYS) and models.aliases(KIND).champion == new
    assert events(journal) == ["promotion"]


def test_what_people_do_in_between_ends_a_shadow(journal, models, config, promoted):
    _, new = promoted
    models.rollback(KIND, "by hand")
    (found,) = check_shadows(journal, models, config, "bot", START + timedelta(days=1))
    assert found.verdict == "rolled back by hand"
    models.promote(KIND, new, "by hand")
    check_shadows(journal, models, config, "bot", START + timedelta(days=2))
    assert [row.verdict for row in rows(journal, shadows)] == ["rolled back by hand"], "it was compared already"
    with journal.connect() as connection:
        assert hold_until(connection, KIND, config, START + timedelta(days=2)) is not None

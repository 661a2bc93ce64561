"""Retraining of a real store: in the order of urgency, within a budget, one at a time, with a gate and a hold."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from shadow_market import KIND, NAMES, START, journal_forecasts, market
from sqlalchemy import insert, select

from configs.errors import BotError
from features.store.lake import Lake
from serving.alerts import Alert, raise_alerts
from serving.bot.task_services import Services
from serving.bot.tasks.retraining import train_again
from serving.journal import open_journal
from serving.journal.leases import acquire
from serving.journal.schema import accounts, alerts, positions, retrainings, shadows
from serving.retraining import retrain as module
from serving.retraining.plan import plan_retraining
from serving.retraining.retrain import retrain
from serving.retraining.training_records import begin_run
from training.run.publication import publish_kind

pytestmark = pytest.mark.slow

NOW = datetime(2017, 1, 9, 6, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path):
    with open_journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        yield journal


def rows(journal, table):
    with journal.connect() as connection:
        return list(connection.execute(select(table)))


def with_retrain(config, **changes):
    return config.model_copy(update={"retrain": config.retrain.model_copy(update=changes)})


def planned(journal, models, config, at=NOW, **options):
    (plan,) = plan_retraining(journal, models, config, "bot", at, kinds=[KIND], **options)
    return plan


def test_a_budget_is_spent_over_runs_on_the_same_bars_and_the_last_one_publishes(ledger, models, config, bars_of):
    for name in NAMES:
        Lake(models.store).append(bars_of(name, 500))
    config = with_retrain(config, budget_symbols=2)
    before, results, orders = models.versions(KIND), [], []
    with ledger.begin() as connection:
        connection.execute(insert(accounts), _account(equity=100.0))
        connection.execute(insert(positions), _position("DDD", -50.0))
    for day in range(3):
        at = NOW + timedelta(days=day)
        plan = planned(ledger, models, config, at)
        assert plan.due.is_due, plan.due.reason
        orders.append([one.symbol for one in plan.order])
        results += retrain(ledger, models, config, "bot", [plan], at)
    assert orders[0][0] == "DDD", "it has a position"
    assert [one.left for one in results] == [2, 1, 0] and not any(one.failed for one in results)
    assert [one.version is None for one in results] == [True, True, False]
    (new,) = set(models.versions(KIND)) - set(before)
    assert results[-1].version == new and results[-1].promoted == (models.aliases(KIND).champion == new)
    assert sorted(models.roster(KIND, new).symbols()) == sorted(NAMES)
    records = sorted(rows(ledger, retrainings), key=lambda row: row.started_at)
    assert {row.data["until"] for row in records} == {"2017-01-09"} and records[-1].version == new
    assert "2 blocks were beyond its budget" in records[1].reason
    assert [row.key for row in rows(ledger, alerts) if row.event == "retraining"] == [KIND] * 3
    assert "next on" in planned(ledger, models, config, NOW + timedelta(days=3)).due.reason

    with ledger.begin() as connection:
        connection.execute(insert(shadows), _rollback(before, NOW))
    plan = planned(ledger, models, with_retrain(config, budget_symbols=None), NOW, force=True)
    champion = models.aliases(KIND).champion
    (again,) = retrain(ledger, models, with_retrain(config, budget_symbols=None), "bot", [plan], NOW)
    assert (again.version, again.promoted) == (new, False), "finished blocks are cached"
    assert "on hold until 2017-02-06" in again.text and models.aliases(KIND).champion == champion


def test_the_champion_is_trained_by_its_own_settings(models, config):
    from serving.retraining.due import Due
    from serving.retraining.plan import KindPlan
    from serving.retraining.retrain import training_config

    plan = KindPlan(Due(KIND, True, ""), models.aliases(KIND).champion, [], None)
    found = training_config(models, config, plan, "2016-12-30")
    assert found.run.seed == 1 and found.run.kinds == (KIND,) and found.data.bars == "lake"
    assert str(found.data.end) == "2016-12-30" and found.direction.network.lstm_units == (4,)


def test_a_training_that_fails_is_recorded_and_reported(ledger, models, config):
    shutil.rmtree(Path(models.store.root) / "lake")
    (result,) = retrain(ledger, models, config, "bot", [planned(ledger, models, config)], NOW)
    assert result.failed and result.version is None
    (record,) = rows(ledger, retrainings)
    assert record.finished_at is not None and record.error == result.text
    (alert,) = rows(ledger, alerts)
    assert alert.severity == "warning" and "no new version" in alert.title
    assert not planned(ledger, models, config, NOW + timedelta(hours=23)).due.is_due, "it cools down"


def test_one_training_of_a_kind_is_in_progress(ledger, models, config):
    plan = planned(ledger, models, config)
    lease = acquire(ledger, f"retrain/{KIND}")
    assert "in progress" in planned(ledger, models, config, force=True).due.reason
    (result,) = retrain(ledger, models, config, "bot", [plan], NOW)
    assert result.failed and result.text == "another process trains it" and not rows(ledger, retrainings)
    lease.release()
    with ledger.begin() as connection:
        begin_run(connection, KIND, "weekly", NOW, 5, {"until": "2017-01-05"})
    found = planned(ledger, models, config, NOW + timedelta(hours=1))
    assert found.due.is_due and "it was interrupted" in found.due.reason


def test_a_champion_that_was_made_just_now_is_not_due(ledger, models, config):
    """Its weights do not see the newest outcomes, which calibrate it, and its bars may end long ago."""
    manifest = models.manifest(KIND, models.aliases(KIND).champion)
    made = manifest.created
    assert not planned(ledger, models, config, made + timedelta(days=6.9)).due.is_due
    assert planned(ledger, models, config, made + timedelta(days=7.1)).due.reason == "7.1 days have passed"
    seen = datetime.fromisoformat(manifest.notes["calibrated_to"]).replace(tzinfo=UTC)
    assert seen > datetime.fromisoformat(manifest.notes["trained_to"]).replace(tzinfo=UTC)
    before = planned(ledger, models, config, seen + timedelta(days=14))
    assert before.due.reason == "14.0 days have passed" and before.order[0].staleness == 2.0


def test_drift_and_worse_losses_put_a_symbol_first(ledger, models, config):
    version = models.aliases(KIND).champion
    chances, labels = market(30, sharpness=0.4)
    wrong = chances.copy()
    wrong[:, 2] = np.roll(chances[:, 2], 1, axis=1)
    journal_forecasts(ledger, version, wrong, labels)
    at = START + timedelta(days=40)
    order = planned(ledger, models, config, at).order
    assert order[0].symbol == "CCC" and order[0].drift > 1
    with ledger.begin() as connection:
        raise_alerts(connection, [Alert("bot", "drift", name, at, f"{name}: PSI") for name in ("AAA", "BBB")])
    drift = {one.symbol: one.drift for one in planned(ledger, models, config, at).order}
    assert min(drift["AAA"], drift["BBB"]) >= 1
    config = with_retrain(config, every_days=1000)
    assert planned(ledger, models, config, at).due.reason == "drift of 2 of 5 symbols"


def test_a_bot_that_is_stopped_ends_a_training_between_two_blocks(ledger, models, config, bars_of):
    for name in NAMES:
        Lake(models.store).append(bars_of(name, 500))
    versions, asked = {kind: models.versions(kind) for kind in models.kinds()}, []

    def stopped() -> bool:
        asked.append(True)
        return len(asked) > 1

    services = Services(config, models, ledger, scanner=None, clock=lambda: NOW, stopped=stopped)
    with pytest.raises(BotError, match="the bot is stopped; the next start continues the training"):
        train_again(services, force=True)
    assert {kind: models.versions(kind) for kind in models.kinds()} == versions, "nothing is published"
    (record,) = rows(ledger, retrainings)
    assert record.finished_at is None and rows(ledger, alerts) == []
    due = planned(ledger, models, config, NOW + timedelta(hours=1)).due
    assert due.is_due and "it was interrupted" in due.reason, "the lease is free, and it does not cool down"


def test_a_process_that_ends_after_it_has_promoted_reports_the_promotion_once(
    ledger, models, config, bars_of, monkeypatch
):
    for name in NAMES:
        Lake(models.store).append(bars_of(name, 500))
    champion = models.aliases(KIND).champion

    def published(models, plan, kind, queue, promote):
        found = publish_kind(models, plan, kind, queue, "always")
        raise KeyboardInterrupt(found.version)

    with monkeypatch.context() as patch:
        patch.setattr(module, "publish_kind", published)
        with pytest.raises(KeyboardInterrupt):
            retrain(ledger, models, config, "bot", [planned(ledger, models, config)], NOW)
    new = models.aliases(KIND).champion
    assert new != champion and rows(ledger, alerts) == []
    at = NOW + timedelta(hours=1)
    plan = planned(ledger, models, config, at)
    assert plan.due.is_due and "interrupted" in plan.due.reason
    (result,) = retrain(ledger, models, config, "bot", [plan], at)
    assert (result.version, result.promoted) == (new, True) and len(models.versions(KIND)) == 3
    (alert,) = rows(ledger, alerts)
    assert alert.title == f"{KIND}: {new} is promoted"
    assert not planned(ledger, models, config, at + timedelta(hours=1)).due.is_due


def _account(equity):
    return {"bot": "bot", "instant": NOW, "cash": 0.0, "equity": equity, "gross": 0.0, "net": 0.0, "drawdown": 0.0}


def _position(symbol, value):
    numbers = {"quantity": 1.0, "value": value, "realised_pnl": 0.0, "unrealised_pnl": 0.0, "costs": 0.0}
    return {"bot": "bot", "instant": NOW, "symbol": symbol, **numbers}


def _rollback(versions, at):
    old, new = versions
    facts = {"kind": KIND, "shadow": old, "champion": new, "since": at, "log_e": 3.0, "n_days": 9}
    return facts | {"ended_at": at, "verdict": "rolled back"}

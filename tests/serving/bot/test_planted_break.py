"""A replay of forecasts that stop being right: the alarm, and after how many days it is raised."""

import json
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from cluster.views.bot_tables import show_replay
from configs.errors import ConfigError
from configs.load import load_config
from configs.schema import Config
from features.labels import CLASSES, bar_variance, direction_labels, ewma_volatility
from features.store.store import Store
from serving.bot.replay import Replay
from serving.bot.replay_skill import days_after
from serving.journal import open_journal
from serving.journal.retention import prune
from training.backtesting.forecasts import OutOfSample

pytestmark = pytest.mark.slow

FIRST, WINDOW, BREAK = 100, 60, 150  # rows: of the first forecast, of a window, of the break
NAMES = tuple(f"S{i}" for i in range(6))


@pytest.fixture(scope="module")
def found(make_universe):
    """Forecasts of two windows that know the next day's class better than the prior does."""
    rng, parts = np.random.default_rng(0), []
    bars = make_universe(NAMES, bars=230)
    label = Config().direction.label
    for one in bars:
        vol = ewma_volatility(bar_variance(one), label.ewma_lambda)
        classes = direction_labels(one.close, vol, 1, label)
        rows = np.arange(FIRST, len(one) - 1)
        said = np.where(rng.random(len(rows)) < 0.6, classes[rows], rng.integers(0, 3, len(rows)))
        columns = {f"p_{name}": np.where(said == k, 0.6, 0.2) for k, name in enumerate(CLASSES)}
        columns |= {f"p_{name}_prior": np.full(len(rows), 1.0 / 3.0) for name in CLASSES}
        window = (rows - FIRST) // WINDOW
        parts.append(
            pd.DataFrame(
                {
                    "symbol": one.symbol,
                    "date": one.dates[rows],
                    **columns,
                    "window": window,
                    "label": classes[rows].astype(np.int8),
                }
            )
        )
    return OutOfSample("forecasts by hand", Config(), tuple(bars), {"direction": pd.concat(parts, ignore_index=True)})


@pytest.fixture(scope="module")
def replay(found, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))

    def run(broken_from=None, database=None, *overrides):
        config = load_config("smoke", overrides=["strategy.name=direction", "bot.name=replay", *overrides])
        return Replay(found, {"direction": "run"}, config, store, database, broken_from=broken_from).run()

    return run


@pytest.fixture(scope="module")
def broken_from(found) -> date:
    return pd.Timestamp(found.bars[0].dates[BREAK]).date()


def test_forecasts_that_are_right_raise_no_alarm(replay):
    result = replay()
    assert result.skill["direction"].alarms == () and result.broken_from is None
    assert list(result.models["direction"]) == ["run-000", "run-001", "run-002"]
    assert "each model replaces the one before it" in result.notes[0]


def test_a_planted_break_is_found_and_the_account_is_still_the_backtests(replay, broken_from, capsys):
    result = replay(broken_from)
    alarms = result.skill["direction"].alarms
    assert {one.test for one in alarms} >= {"faded", "worse"}
    assert all(5 < one.days < 60 and one.date >= str(broken_from) for one in alarms)
    assert result.difference < 0.005
    sooner = replay(broken_from, None, "monitoring.false_alarm_rate=0.5").skill["direction"].alarms
    first = {one.test: one.days for one in reversed(alarms)}
    assert min(first[one.test] - one.days for one in sooner if one.test in first) > 0, "not the alarms of 5 %"
    show_replay(result, False)
    printed = capsys.readouterr().out
    assert f"returns scrambled from {broken_from}" in printed
    assert f"{alarms[0].test} on {alarms[0].date} ({alarms[0].days} bars after the break)" in printed
    watched = [one for one in result.skill["direction"].signals if one.days > 0]
    assert watched[0].test == "chart" and watched[0].days < alarms[0].days, "a chart is sooner, and no alarm"
    assert f"{watched[0].date} ({watched[0].days} bars after the break)" in printed
    show_replay(result, True)
    skill = json.loads(capsys.readouterr().out)["skill"]["direction"]
    assert skill["alarms"][0]["days"] == alarms[0].days and skill["signals"][-1]["test"] == "chart"


def test_outcomes_of_forecasts_before_the_break_count_from_when_they_were_known():
    assert [days_after(rows, 5) for rows in (0, -5, -6)] == [6, 1, -1]


def test_a_journal_of_other_bars_is_refused(replay, found, tmp_path):
    before, broken_from, last = (pd.Timestamp(day).date() for day in found.bars[0].dates[[BREAK, BREAK + 1, BREAK + 5]])
    period = (f"backtest.start={before}", f"backtest.end={last}")  # the last closes change with the break
    database = f"sqlite:///{tmp_path / 'journal.db'}"
    replay(None, database, *period)
    with pytest.raises(ConfigError, match="has a replay of other bars"):
        replay(broken_from, database, *period)


def test_a_replay_whose_first_steps_were_deleted_is_refused(replay, found, tmp_path):
    first, last = (pd.Timestamp(day).date() for day in found.bars[0].dates[[BREAK, BREAK + 2]])
    period, database = (f"backtest.start={first}", f"backtest.end={last}"), f"sqlite:///{tmp_path / 'journal.db'}"
    replay(None, database, *period)
    with open_journal(database) as journal, journal.begin() as connection:
        assert prune(connection, 1, datetime.now(UTC))["steps"] > 0
    with pytest.raises(ConfigError, match="`journal prune` has deleted its first steps"):
        replay(None, database, *period)

"""Tests of a kind: few false alarms, losses found, and one result whatever the order in which outcomes arrive."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from configs.monitoring import MonitoringConfig
from serving.monitoring.e_process import Betting, e_process
from serving.monitoring.kind_tests import SHARES, KindState, advance, betting_of, threshold, watch_limit
from serving.monitoring.losses import direction_gaps, excess_loss, volatility_gaps
from serving.monitoring.paired import PairedTest
from serving.monitoring.quality import quality_of
from serving.monitoring.steps import complete_steps
from serving.monitoring.streams import CLIP
from serving.monitoring.tested import TestedSkill
from training.metrics.comparison import Comparison

pytestmark = pytest.mark.slow

CONFIG = MonitoringConfig()
LATE = datetime(2040, 1, 1, tzinfo=UTC)
KINDS = ("direction", "volatility")


def skill_of(kind, frame):
    horizon = int(frame["horizon_bars"].iloc[0])
    return {str(frame["version"].iloc[0]): TestedSkill.of(kind, frame, horizon)}


def run(kind, frame, tested, now=LATE, state=None, config=CONFIG):
    state = state or KindState.initial(int(frame["horizon_bars"].iloc[0]), config)
    states = advance(state, complete_steps(kind, frame, tested, config, now, state.last), tested, config)
    return states


def clipped(gaps, horizon):
    """The reference of the clip, with loops: gaps (M, T) over bounds known when each was forecast."""
    out, squares, weight = np.empty_like(gaps), np.full(len(gaps), 2.0 / CLIP**2), 2.0
    for t in range(gaps.shape[1]):
        if t >= horizon:
            squares, weight = 0.996 * squares + gaps[:, t - horizon] ** 2, 0.996 * weight + 1.0
        bound = np.minimum(CLIP * np.sqrt(squares / weight), 1.0)
        out[:, t] = np.clip(gaps[:, t] / bound, -1.0, 1.0)
    return out


def evidence_of(gaps, horizon):
    """The largest evidence of streams that take turns, after each day (M, T)."""
    betting = Betting(change_steps=250.0 / horizon)
    bets, streams = clipped(gaps, horizon), []
    for k in range(horizon):
        e = e_process(bets[:, k::horizon], betting)
        daily = np.ones_like(bets)
        for i, t in enumerate(range(k, bets.shape[1], horizon)):
            daily[:, t:] = e[:, [i]]
        streams.append(daily)
    return np.max(streams, axis=0) / horizon


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_of_a_table_are_the_arrays_of_the_reference(kind, make_forecasts):
    frame = make_forecasts(kind, 150, 6)
    horizon = int(frame["horizon_bars"].iloc[0])
    states = run(kind, frame, {})
    if kind == "direction":
        p, q = (np.stack([frame[f"p_{k}{end}"] for k in ("down", "sideways", "up")], 1) for end in ("", "_prior"))
        gaps = direction_gaps(frame["label"], p, q)
    else:
        gaps = volatility_gaps(frame["target"], frame["forecast"], frame["forecast_log_har"])
    excess, room = (part.reshape(150, 6).sum(axis=1) for part in excess_loss(gaps))
    expected = evidence_of(np.minimum(excess / room, 1.0)[None], horizon)[0]
    np.testing.assert_allclose([one.evidence(CONFIG)["worse"] for one in states], expected, rtol=1e-9)
    assert states[-1].steps == 150 and states[-1].tests["worse"].skipped == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_is_the_same_in_one_run_or_in_many_and_in_any_order(kind, make_forecasts):
    frame = make_forecasts(kind, 90, 4)
    tested = skill_of(kind, frame)
    whole = run(kind, frame, tested)[-1]
    state, rng = KindState.initial(whole.horizon, CONFIG), np.random.default_rng(0)
    for day in pd.date_range("2024-01-01", "2024-07-01", freq="3D", tz="UTC"):
        known = frame.sample(frac=1.0, random_state=int(rng.integers(1000)))
        unknown = known["known_at"] > day
        seen = known[known["made_at"] <= day].assign(
            **{name: known[name].mask(unknown) for name in ("known_at", "end_date", "end_close")},
            **{name: known[name].mask(unknown) for name in known if name.startswith("first_")},
        )
        for _ in range(2):
            states = run(kind, seen, tested, day.to_pydatetime(), state) if len(seen) else []
            state = KindState.from_json(states[-1].to_json()) if states else state
    assert state.to_json() == whole.to_json()


def test_a_late_outcome_is_waited_for_and_then_left_out(make_forecasts):
    frame = make_forecasts("direction", 10, 4)
    late = (frame["symbol"] == "S02") & (frame["bar_date"] == pd.Timestamp("2024-01-04"))
    frame.loc[late, "known_at"] += timedelta(days=60)
    before = complete_steps("direction", frame, {}, CONFIG, datetime(2024, 1, 12, tzinfo=UTC))
    assert [one.start[:10] for one in before] == ["2024-01-02", "2024-01-03"]
    after = complete_steps("direction", frame, {}, CONFIG, datetime(2024, 1, 14, tzinfo=UTC))
    assert (len(after), after[2].rows, after[2].missing) == (8, 3, 1)
    assert complete_steps("direction", frame, {}, CONFIG, LATE)[2] == after[2], "it comes too late for ever"


def with_bars_of(length, frame):
    """The same forecasts of bars of another length, each complete at its end, around the clock."""
    symbols, horizon = frame["symbol"].nunique(), int(frame["horizon_bars"].iloc[0])
    start = pd.Timestamp("2020-01-06") + length * (np.arange(len(frame)) // symbols)
    start, end = pd.Series(start), pd.Series(start + length * horizon)
    close, end_close = ((one + length).dt.tz_localize("UTC") for one in (start, end))
    made, known = (one + timedelta(minutes=5) for one in (close, end_close))
    return frame.assign(
        bar_date=start,
        date=start,
        end_date=end,
        bar_close=close,
        end_close=end_close,
        made_at=made,
        known_at=known,
        target_close=end_close,
    )


@pytest.mark.parametrize("length", [timedelta(hours=1), timedelta(days=7), timedelta(days=91)])
def test_bars_of_any_length_are_waited_for_until_their_outcomes_are_known(length, make_forecasts):
    daily = make_forecasts("volatility", 40, 3)
    other = with_bars_of(length, daily)
    expected = [(one.gaps, one.rows, one.missing) for one in complete_steps("volatility", daily, {}, CONFIG, LATE)]
    found = complete_steps("volatility", other, {}, CONFIG, LATE)
    assert [(one.gaps, one.rows, one.missing) for one in found] == expected and len(found) == 40
    known = other["known_at"] <= (now := other["end_close"].iloc[-1].to_pydatetime() - timedelta(minutes=30))
    seen = other.assign(**{name: other[name].where(known) for name in ("known_at", "end_date", "end_close", "target")})
    found = quality_of("volatility", seen, seen, 5, CONFIG, now)
    assert (found.pending, found.overdue) == ((~known).sum(), 0) and found.pending


@pytest.mark.parametrize("length", [timedelta(hours=1), timedelta(days=7)])
def test_the_control_chart_is_the_same_for_bars_of_any_length(length, make_forecasts):
    daily = make_forecasts("volatility", 300, 3)
    other = with_bars_of(length, daily)
    (tested,), (same,) = (skill_of("volatility", frame).values() for frame in (daily, other))
    assert (same.mean, same.deviation) == (tested.mean, tested.deviation)
    assert same.steps_per_year == pytest.approx(365.25 * timedelta(days=1) / length, rel=0.05)
    assert (watch_limit(5, CONFIG, same) > watch_limit(5, CONFIG, tested)) == (length < timedelta(days=1))


def test_forecasts_without_a_label_set_have_no_test_of_coverage(make_forecasts):
    frame = make_forecasts("direction", 10, 4).assign(level=np.nan)
    assert [set(one.gaps) for one in complete_steps("direction", frame, {}, CONFIG, LATE)] == [{"worse"}] * 10


def test_forecasts_made_after_their_outcome_and_shadows_and_second_versions_do_not_count(make_forecasts):
    frame = make_forecasts("direction", 6, 3)
    known = complete_steps("direction", frame, {}, CONFIG, LATE)
    other = make_forecasts("direction", 6, 3, seed=1, version="20240102T000000Z-bbbbbb")
    second = other.assign(made_at=other["made_at"] + timedelta(hours=1))
    cheating = other.assign(symbol="S99", made_at=other["known_at"] + timedelta(days=1))
    for more in (other.assign(is_shadow=True, made_at=other["bar_close"]), second, cheating):
        assert complete_steps("direction", pd.concat([frame, more]), {}, CONFIG, LATE) == known


def test_a_hundred_quiet_markets_looked_at_daily_for_a_thousand_days():
    """Worst case: the model is in truth exactly as good as the baseline, in both kinds, and intervals as promised."""
    rng, markets, days, symbols = np.random.default_rng(100), 100, 1000, 15
    alarms = np.zeros(markets, bool)
    shape = (markets, days, symbols)
    signal, market = 0.15 * rng.normal(size=shape), rng.normal(size=(markets, days, 1))
    moved = np.sqrt(0.3) * market + np.sqrt(0.7) * rng.normal(size=shape) + signal / 2.0
    label = np.where(moved < -0.4307, 0, np.where(moved > 0.4307, 2, 1))
    # Linear in the signal, so that the truth is half way between forecast and baseline.
    p = 1.0 / 3.0 + np.stack([-0.3636 * signal, np.zeros(shape), 0.3636 * signal], axis=-1)
    gap, claim, room = direction_gaps(label.ravel(), p.reshape(-1, 3), np.full((label.size, 3), 1.0 / 3.0))
    assert gap.mean() == pytest.approx(0.0, abs=0.02 * claim.mean() + 3 * gap.std() / np.sqrt(gap.size / 5))
    steps = gap.reshape(shape).sum(-1) / room.reshape(shape).sum(-1)
    alarms |= (evidence_of(steps, 1) >= threshold("worse", CONFIG)).any(axis=1)
    crash = np.exp(0.5 * rng.standard_t(5, size=(markets, days + 5, 1)))
    shock = crash / crash.mean() * rng.gamma(2.0, 0.5, size=(markets, days + 5, symbols))
    realised = np.mean([shock[:, 1 + k : 1 + k + days] for k in range(5)], axis=0)
    error = np.exp(0.2 * rng.normal(size=shape))
    gap, _, room = volatility_gaps(realised.ravel(), error.ravel(), (1.0 / error).ravel())
    steps = np.minimum(gap.reshape(shape).sum(-1) / room.reshape(shape).sum(-1), 1.0)
    alarms |= (evidence_of(steps, 5) >= threshold("worse", CONFIG)).any(axis=1)
    missed = (np.sqrt(0.5) * market + np.sqrt(0.5) * rng.normal(size=shape) > 1.2816).mean(axis=-1)
    misses = e_process((missed - 0.1) / 0.1, betting_of(1, CONFIG))
    alarms |= (misses >= threshold("coverage", CONFIG)).any(axis=1)
    assert alarms.sum() <= 5
    assert sum(SHARES.values()) == 1.0


@pytest.mark.parametrize(("kind", "strength", "most"), [("direction", 0.3, 70), ("volatility", 0.4, 130)])
def test_a_planted_loss_of_skill_is_found(kind, strength, most, make_forecasts):
    frame = make_forecasts(kind, 400, 12, strength=strength, lost_from=250, seed=5)
    states = run(kind, frame, skill_of(kind, make_forecasts(kind, 500, 12, strength=strength, seed=9)))
    quiet, last = states[249], states[-1]
    assert not quiet.alarms and last.alarms
    assert min(one.steps for one in last.alarms.values()) - 250 <= most
    watched = next(i for i, one in enumerate(states) if one.watch) - 250
    assert 0 <= watched <= 25, "the control chart says so first, without a promise"


def test_intervals_that_are_too_narrow_are_found(make_forecasts):
    frame = make_forecasts("volatility", 200, 8)
    frame["high"] = frame["forecast"] * 1.1
    assert "coverage" in run("volatility", frame, {})[-1].alarms
    assert not run("volatility", make_forecasts("volatility", 200, 8), {})[-1].alarms


def test_after_an_alarm_another_version_begins_anew(make_forecasts):
    lost = make_forecasts("direction", 120, 12, real=-1.0)
    later = make_forecasts("direction", 160, 12, seed=3, version="20240601T000000Z-cccccc")
    later = later[later["bar_date"] > lost["bar_date"].max()]
    states = run("direction", pd.concat([lost, later]), {})
    alarmed = states[119]
    assert set(alarmed.alarms) == {"worse"} and alarmed.alarms["worse"].steps < 60
    assert states[120].epoch == 1 and not states[-1].alarms and states[-1].since == states[120].last
    without = run("direction", pd.concat([lost, later.assign(version=lost["version"].iloc[0])]), {})
    assert without[-1].alarms == alarmed.alarms, "an alarm stays until something was done"


def test_what_a_test_promised_by_luck_is_not_demanded():
    lucky = TestedSkill(Comparison(0.9, 0.3), Comparison(0.05, 0.01), -0.1, 0.2)
    assert lucky.least_realised_share == pytest.approx(0.3) and lucky.most_missed(0.9, 0.25) == pytest.approx(0.125)
    narrow = replace(lucky, missed=Comparison(0.15, 0.01), realised_share=Comparison(0.2, 0.3))
    assert narrow.most_missed(0.9) == pytest.approx(0.17) and narrow.least_realised_share == 0.0
    assert TestedSkill.unknown().most_missed(0.9) == pytest.approx(0.1)
    for one in (lucky, TestedSkill.unknown()):
        assert repr(TestedSkill.from_json(one.to_json())) == repr(one)
        earlier = dict(list(one.to_json().items())[:-1])
        assert TestedSkill.from_json(earlier).steps_per_year == 252.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_worse_champion_is_found_and_an_equal_one_is_not(kind, make_forecasts):
    days = 150 if kind == "direction" else 300
    good, columns = make_forecasts(kind, days, 20), ["forecast"]
    if kind == "direction":
        columns = ["p_down", "p_sideways", "p_up"]
    bad = good.copy()
    bad[columns] = good.groupby("symbol")[columns].shift(-7).ffill()
    test = PairedTest.initial(int(good["horizon_bars"].iloc[0]), CONFIG)
    worse = test.after(kind, bad, good.assign(is_shadow=True), CONFIG, LATE)
    assert worse.is_worse(CONFIG) and worse.steps == days
    assert not test.after(kind, good, bad, CONFIG, LATE).is_worse(CONFIG)
    assert not test.after(kind, good, good, CONFIG, LATE).is_worse(CONFIG)
    half = test.after(kind, bad[: 20 * 70], good, CONFIG, LATE)
    assert PairedTest.from_json(half.to_json()).after(kind, bad, good, CONFIG, LATE).to_json() == worse.to_json()

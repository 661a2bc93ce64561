"""Bars that a run plans with: symbols that are skipped, calendars that differ, prices that are mended."""

from dataclasses import replace

import numpy as np
import pytest

from configs.errors import DataError
from features.bars.arrays import PRICES
from features.bars.sessions import session_gaps
from features.store.store import Store
from training.run.job import POOLED
from training.run.market_file import read_market

NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE")


def test_skipped_symbols_have_reasons(planned, make_universe):
    good, flat, short, dirty, noted = make_universe(NAMES)
    flat = replace(flat, open=flat.open * 0 + 5, high=flat.high * 0 + 5, low=flat.low * 0 + 5, close=flat.close * 0 + 5)
    short = make_universe(("CCC",), bars=50)[0]
    plan = planned(bars=[good, flat, short, dirty, noted], quarantined={"DDD": 100, "EEE": 2, "CCC": 3})
    assert plan.skipped == {
        "BBB": "the price is constant",
        "CCC": "50 bars; at least 200 are needed (data.min_bars)",
        "DDD": "100 of 600 rows break a rule; at most 5% may (data.max_quarantined)",
    }
    assert plan.warnings == ("EEE: 2 of 502 rows were left out (duplicate_date 2)",)
    assert sorted(s for job in plan.blocks("direction") for s in job.symbols) == ["AAA", "EEE"]


def test_a_run_without_symbols_is_an_error_with_reasons(planned, make_universe):
    with pytest.raises(DataError, match=r"no symbol can be trained \(AAA: 90 bars; at least 200"):
        planned(bars=make_universe(("AAA",), bars=90))
    with pytest.raises(DataError, match="the source holds none"):
        planned(bars=[])


def test_a_warning_says_that_calendars_differ_and_features_are_lagged(planned, make_universe):
    (odd,) = make_universe(("COIN",), bars=500)
    odd = replace(odd, dates=odd.dates[0] + np.arange(500) * np.timedelta64(1, "D"))
    assert planned().warnings == ()
    bars = [*make_universe(NAMES), odd]
    assert planned(bars=bars).warnings == (
        "symbols trade on different calendars (24/5, 24/7), so universe features are lagged by one session, so "
        "that they do not use closes of later time zones (features.universe_lag=0 overrides)",
    )
    unlagged = planned("features.universe_lag=0", bars=bars)
    assert unlagged.warnings == ()
    assert unlagged.market != planned(bars=bars).market


def test_symbols_with_quarantined_rows_do_not_change_shared_inputs(planned, make_universe):
    """With one quarantined row a symbol is trained, but calendar, market file and pooled fit do not depend on it."""
    good = make_universe(NAMES[:4])
    (odd,) = make_universe(("ODD",), bars=520, seed=5)
    rows = np.delete(np.arange(520), [7, 90, 91])
    columns = ("dates", "open", "high", "low", "close", "volume")
    odd = replace(odd, **{name: getattr(odd, name)[rows] for name in columns})
    clean, mixed = planned(bars=good), planned(bars=[*good, odd], quarantined={"ODD": 1})
    assert mixed.market == clean.market
    assert mixed.splits == clean.splits
    pooled = [job for job in mixed.jobs if job.name == POOLED]
    assert all(set(job.symbols) == set(NAMES[:4]) for job in pooled)
    assert any("ODD" in job.symbols for job in mixed.blocks("direction"))


def on_sessions(bars, calendar):
    ends = np.array(["2015-01-05", "2019-12-27"], "datetime64[ns]")
    return replace(bars, dates=np.union1d(ends, session_gaps(ends, calendar))[: len(bars)])


def test_a_trained_symbol_with_other_sessions_lags_the_universe_even_with_a_quarantined_row(
    planned, make_universe, tmp_path
):
    *west, east = make_universe((*NAMES, "TOKYO"))
    bars = [*(on_sessions(one, "XNYS") for one in west), on_sessions(east, "XTKS")]
    clean, mixed = planned(bars=bars), planned(bars=bars, quarantined={"TOKYO": 1})
    tables = [read_market(Store(str(tmp_path)), plan.market)[0] for plan in (clean, mixed)]
    assert [(one.members, one.lag) for one in tables] == [(6, 1), (5, 1)]
    assert any("different calendars (XNYS, XTKS)" in note for note in mixed.warnings)


def test_a_skipped_symbol_does_not_change_the_calendar(planned, make_universe):
    good = make_universe(NAMES[:4])
    (odd,) = make_universe(("ODD",), seed=5)
    nonsense = replace(odd, dates=odd.dates + np.timedelta64(6, "h"))
    skipped = planned(bars=[*good, nonsense], quarantined={"ODD": 100})
    assert set(skipped.skipped) == {"ODD"}
    assert {job.output for job in skipped.jobs} == {job.output for job in planned(bars=good).jobs}


def test_a_mostly_quarantined_universe_uses_all_its_symbols(planned):
    plan = planned(quarantined={"AAA": 1, "BBB": 1, "CCC": 1})
    assert all(set(job.symbols) == set(NAMES) for job in plan.jobs if job.name == POOLED)


def test_symbols_of_another_period_are_skipped_and_no_common_period_is_refused(planned, make_universe):
    bars = make_universe(NAMES)
    weekly = np.arange(np.datetime64("2005-01-07"), np.datetime64("2018-01-07"), 7)[:500].astype("datetime64[ns]")
    plan = planned(bars=[*bars[:4], replace(bars[4], dates=weekly)])
    assert plan.skipped["EEE"].startswith("weekly bars, and most symbols have daily ones")
    assert plan.bars == 4 * 500
    with pytest.raises(DataError, match=r"daily bars \(AAA\) and weekly bars \(BBB\) cannot be used together"):
        planned(bars=[bars[0], replace(bars[1], dates=weekly)])


def test_spikes_are_left_out_and_steps_rebased_or_their_symbols_skipped_as_the_setting_says(planned, make_universe):
    def off(bars, rows, ratio, volume=False):
        prices = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
        for values in prices.values():
            values[rows] *= ratio
        traded = bars.volume.copy()
        traded[rows] /= ratio if volume else 1.0
        return replace(bars, **prices, volume=traded)

    whole = make_universe((*NAMES, "FFF", "GGG"))
    bars = list(whole)
    bars[0] = off(bars[0], slice(300, 303), 10.0)
    bars[1] = off(bars[1], slice(300, None), 0.01)
    bars[2] = off(bars[2], slice(300, None), 0.1, volume=True)
    day = str(whole[0].dates[300])[:10]
    plan = planned(bars=bars)
    assert list(plan.skipped) == ["BBB"]
    assert f"×0.01 from {day} on (pence against pounds)" in plan.skipped["BBB"]
    assert "at most 0 may stay unexplained (data.max_unexplained_steps)" in plan.skipped["BBB"]
    assert plan.bars == 6 * 500 - 3
    notes = [note for note in plan.warnings if note.startswith(("AAA", "CCC"))]
    assert len(notes) == 2 and notes[0].startswith(
        "AAA: 3 bars were left out as spikes: ×9.955 on 2016-02-25 for 3 bars"
    )
    assert "CCC: prices before steps were multiplied by their ratio: ×0.1" in notes[1]
    pooled = next(job for job in plan.jobs if job.name == POOLED)
    assert not {"AAA", "BBB", "CCC"} & set(pooled.symbols), "what symbols share is of clean ones"
    assert list(planned("data.on_steps=refuse", bars=bars).skipped) == ["AAA", "BBB", "CCC"]
    kept = planned("data.on_steps=keep", bars=bars)
    assert (
        not kept.skipped and kept.bars == 7 * 500 and any("BBB: prices step: ×0.01" in note for note in kept.warnings)
    )
    assert not planned("data.on_steps=rebase", bars=bars).skipped
    assert not planned("data.max_unexplained_steps=1", bars=bars).skipped
    assert planned(bars=whole).warnings == planned("data.on_steps=keep", bars=whole).warnings == ()


def test_named_splits_are_part_of_what_is_trained(planned, make_universe):
    whole = make_universe(NAMES)
    splits = np.where(np.arange(500) == 300, 4.0, 1.0)
    prices = {name: np.where(np.arange(500) < 300, 4.0, 1.0) * getattr(whole[0], name) for name in PRICES}
    raw = replace(whole[0], **prices, volume=whole[0].volume / np.where(np.arange(500) < 300, 4.0, 1.0))
    named = planned(bars=[replace(raw, splits=splits), *whole[1:]])
    assert not named.skipped and any("4:1 split of the source not applied" in note for note in named.warnings)
    applied = planned(bars=[replace(whole[0], splits=splits), *whole[1:]])
    assert applied.data_hash == planned(bars=whole).data_hash and applied.warnings == planned(bars=whole).warnings
    wrong = planned(bars=[replace(raw, splits=np.where(splits == 4.0, 15.0, 1.0)), *whole[1:]])
    assert list(wrong.skipped) == ["AAA"] and "the source names a 15:1 split" in wrong.skipped["AAA"]

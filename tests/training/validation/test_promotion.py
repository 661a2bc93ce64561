from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.metrics.ranking import rank_symbols
from training.validation.paired_losses import TestLosses
from training.validation.promotion import decide

DAYS = np.datetime64("2020-01-01", "ns") + np.arange(40) * np.timedelta64(1, "D")


def table(losses: dict[str, np.ndarray], first_day: int = 0, **columns: np.ndarray) -> pa.Table:
    symbols = np.repeat(list(losses), [len(v) for v in losses.values()])
    dates = np.concatenate([DAYS[first_day : first_day + len(v)] for v in losses.values()])
    values = np.concatenate(list(losses.values())).astype(np.float32)
    return pa.table({"symbol": pa.array(symbols).dictionary_encode(), "date": dates, "loss": values, **columns})


def side(version: str, *tables: pa.Table) -> TestLosses:
    symbols = {s: i for i, t in enumerate(tables) for s in t["symbol"].unique().to_pylist()}

    def read(block: int, columns: Sequence[str]) -> pa.Table:
        return tables[block].select([name for name in tables[block].column_names if name in columns])

    return TestLosses(version, symbols, read)


def losses(seed: int, symbols: Sequence[str], shift: float = 0.0, days: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {s: (rng.normal(1.0, 0.1, days) + shift).astype(np.float32) for s in symbols}


def test_the_first_version_becomes_champion_unless_never_was_asked_for() -> None:
    first = side("a", table(losses(0, "A")))
    for policy in ("auto", "always"):
        assert decide(first, None, policy).promote
    decision = decide(first, None, "never")
    assert not decision.promote and "--promote never was asked for" in decision.reason


def test_a_first_version_that_its_own_test_period_says_is_worse_than_a_baseline_is_promoted_only_by_force() -> None:
    first = side("a", table(losses(0, "A")))
    decision = decide(first, None, "auto", worse_than=["log_har", "ewma"])
    assert not decision.promote and "worse than log_har, ewma; promote it by hand" in decision.reason
    assert not decide(first, None, "never", worse_than=["log_har"]).promote
    assert decide(first, None, "always", worse_than=["log_har"]).promote


def test_a_champion_is_not_promoted_again() -> None:
    version = side("a", table(losses(0, "A")))
    decision = decide(version, version, "always")
    assert not decision.promote and "already" in decision.reason


@pytest.mark.parametrize(
    ("shift", "promote", "word"), [(-0.05, True, "lower"), (0.05, False, "higher"), (0.0, False, "no lower")]
)
def test_auto_promotes_only_a_lower_mean_loss(shift: float, promote: bool, word: str) -> None:
    base = losses(1, "AB")
    challenger = {s: v + np.float32(shift) for s, v in base.items()}
    decision = decide(side("new", table(challenger)), side("old", table(base)))
    assert decision.promote is promote and word in decision.reason
    assert decision.mean_difference == pytest.approx(shift, abs=1e-6)
    assert (decision.n_days, decision.n_pairs) == (40, 80)
    assert ("models promote" in decision.reason) is not promote


def test_a_small_difference_is_shown_with_the_digits_that_it_needs() -> None:
    base = {"A": np.full(40, 1.0, np.float32)}
    decision = decide(side("new", table({"A": base["A"] + np.float32(1e-5)})), side("old", table(base)))
    assert "its test loss 1.000010 is higher than the champion's 1.000000" in decision.reason


def test_at_equal_loss_weights_that_saw_newer_labels_are_better() -> None:
    old = replace(side("old", table(losses(1, "AB"))), trained_to="2020-03-01")
    new = replace(old, version="new", trained_to="2021-03-01")
    assert decide(new, old).promote and "labels up to 2021-03-01" in decide(new, old).reason
    assert not decide(replace(old, version="again"), old).promote
    assert not decide(replace(old, version="older"), new).promote


def test_policies_override_the_comparison_but_report_it() -> None:
    better, base = side("new", table(losses(1, "A", -0.1))), side("old", table(losses(1, "A")))
    never, always = decide(better, base, "never"), decide(base, better, "always")
    assert not never.promote and always.promote
    assert never.mean_difference == pytest.approx(-0.1, abs=1e-6) and always.mean_difference == pytest.approx(
        0.1, abs=1e-6
    )


def test_the_reason_says_whether_the_difference_is_noise() -> None:
    base = losses(1, "AB")
    rng = np.random.default_rng(2)
    noisy = {s: v - 0.001 + rng.normal(0, 0.1, 40) for s, v in base.items()}
    noise = decide(side("n", table(noisy)), side("o", table(base)))
    clear = decide(
        side("n", table({s: v - 0.02 - 1e-4 * (np.arange(40) % 2) for s, v in base.items()})), side("o", table(base))
    )
    assert "not distinguishable from noise" in noise.reason
    assert "clear of noise" in clear.reason


def test_the_standard_error_is_clustered_by_day() -> None:
    shocks = np.random.default_rng(3).normal(0, 0.1, 40)
    names = [f"S{i}" for i in range(25)]
    base = {s: np.ones(40) for s in names}
    shared = decide(side("n", table({s: 1 + shocks for s in names})), side("o", table(base)))
    single = decide(side("n", table({"S0": 1 + shocks})), side("o", table({"S0": np.ones(40)})))
    assert shared.standard_error == pytest.approx(single.standard_error, rel=1e-5)
    assert single.standard_error == pytest.approx(shocks.std(ddof=1) / np.sqrt(40), rel=0.02)


def test_overlapping_forecasts_widen_the_standard_error() -> None:
    shocks = np.repeat(np.random.default_rng(4).normal(0, 0.1, 8), 5)
    sides = side("n", table({"A": 1 + shocks})), side("o", table({"A": np.ones(40)}))
    plain, widened = decide(*sides).standard_error, decide(*sides, overlap=4).standard_error
    assert plain is not None and widened is not None and widened > 1.5 * plain


def test_without_a_common_day_nothing_is_promoted_and_the_reason_says_how_to() -> None:
    early, late = table(losses(1, "A", days=10)), table(losses(1, "A", days=10), first_day=20)
    for challenger in (side("n", late), side("n", table(losses(1, "B")))):
        decision = decide(challenger, side("o", early))
        assert not decision.promote and decision.n_pairs == 0 and decision.mean_difference is None
        assert "--promote always" in decision.reason
    assert decide(side("n", late), side("o", early), "always").promote


def test_one_common_day_has_a_difference_but_no_error() -> None:
    decision = decide(side("n", table({"A": np.array([0.5])})), side("o", table({"A": np.array([0.7])})))
    assert decision.promote and decision.standard_error is None and "too few" in decision.reason


def test_a_better_model_of_far_fewer_symbols_does_not_replace_the_champion() -> None:
    names = [f"S{i}" for i in range(20)]
    champion = side("o", table(losses(1, names)))
    few = decide(side("n", table(losses(1, names[:3], -0.5))), champion)
    most = decide(side("n", table(losses(1, names[:18], -0.5))), champion)
    assert not few.promote and "lacks 17 of the champion's 20 symbols" in few.reason
    assert most.promote


@pytest.mark.parametrize("column", ["label", "target"])
def test_losses_against_different_truths_are_not_compared(column: str) -> None:
    base, better = losses(1, "A"), losses(1, "A", -0.5)
    truth = np.ones(40, dtype=np.int8 if column == "label" else np.float32)
    other = truth.copy()
    other[:20] = 2
    champion = side("o", table(base, **{column: truth}))
    assert decide(side("n", table(better, **{column: truth})), champion).promote
    changed = decide(side("n", table(better, **{column: other})), champion)
    assert not changed.promote and "differs from the champion's in 20 of 40" in changed.reason


def test_a_challenger_that_fails_where_the_champion_does_not_stays_out() -> None:
    base, broken = losses(1, "A"), losses(1, "A", -0.5)
    broken["A"][3] = np.nan
    decision = decide(side("n", table(broken)), side("o", table(base)))
    assert not decision.promote and "not finite in 1 row where" in decision.reason
    assert decide(side("n", table(losses(1, "A", -0.5))), side("o", table(broken))).n_pairs == 39


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 6), st.integers(1, 6))
def test_the_decision_does_not_depend_on_how_symbols_are_spread_over_blocks(
    random: object, ours: int, theirs: int
) -> None:
    names = [f"S{i}" for i in range(9)]
    new, old = losses(1, names), losses(2, names[2:])

    def spread(values: dict[str, np.ndarray], blocks: int) -> list[pa.Table]:
        keys = list(values)
        random.shuffle(keys)  # type: ignore[attr-defined]
        return [table({s: values[s] for s in keys[i::blocks]}) for i in range(min(blocks, len(keys)))]

    whole = decide(side("n", table(new)), side("o", table(old)))
    split = decide(side("n", *spread(new, ours)), side("o", *spread(old, theirs)))
    assert split.mean_difference == pytest.approx(whole.mean_difference, abs=1e-12)
    assert split.standard_error == pytest.approx(whole.standard_error, rel=1e-9)
    assert (
        (split.n_days, split.n_pairs, split.promote)
        == (whole.n_days, whole.n_pairs, whole.promote)
        == (40, 280, whole.promote)
    )
    direct = np.concatenate([new[s].astype(np.float64) - old[s] for s in names[2:]]).mean()
    assert whole.mean_difference == pytest.approx(direct, abs=1e-12)


def test_symbols_are_ranked_by_their_gain_over_the_baseline() -> None:
    values = {"A": np.full(3, 0.9), "B": np.full(3, 0.5), "C": np.full(3, np.nan)}
    baseline = np.repeat([1.2, 0.6, 1.0], 3)
    ranked = rank_symbols([table(values, loss_prior=baseline, loss_logistic=np.ones(9))])
    assert [(s.symbol, s.baseline, s.rows) for s in ranked] == [("A", "prior", 3), ("B", "prior", 3), ("C", "prior", 3)]
    assert ranked[0].gain == pytest.approx(0.3) and np.isnan(ranked[2].gain)
    assert [s.symbol for s in rank_symbols([table({"A": np.ones(1)}), table({"B": np.zeros(1)})])] == ["B", "A"]

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.views.leaderboard import render
from training.metrics import calibration, classification, volatility
from training.metrics.clustered import day_jackknife, hac_weights, long_run_se
from training.metrics.daily import DirectionDaily, VolatilityDaily
from training.metrics.per_symbol import direction_by_symbol, volatility_by_symbol
from training.metrics.ratio import ratio
from training.run.kind_result import KindResult


def direction_rows(seed: int = 0, symbols: int = 12, days: int = 150) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = symbols * days
    p = rng.dirichlet([8, 10, 9], rows)
    y = np.minimum((rng.random(rows)[:, None] > p.cumsum(axis=1)).sum(axis=1), 2)
    return {
        "dates": np.tile(np.datetime64("2016-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D"), symbols),
        "symbol": np.repeat(np.arange(symbols), days),
        "labels": y,
        "model": p,
        "prior": np.tile([0.3, 0.4, 0.3], (rows, 1)),
        "logistic": rng.dirichlet([20, 20, 20], rows),
        "sets": rng.random((rows, 3)) < 0.8,
    }


def direction_daily(r: dict[str, np.ndarray], keep: np.ndarray | slice = slice(None)) -> DirectionDaily:
    return DirectionDaily.from_predictions(
        r["dates"][keep],
        r["labels"][keep],
        r["model"][keep],
        {"prior": r["prior"][keep], "logistic": r["logistic"][keep]},
        r["sets"][keep],
    )


def volatility_rows(seed: int = 1, symbols: int = 10, days: int = 200) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.exp(rng.normal(size=symbols * days)) * 1e-4
    return {
        "dates": np.tile(np.datetime64("2016-01-01") + np.arange(days), symbols),
        "symbol": np.repeat(np.arange(symbols), days),
        "target": y,
        "model": y * np.exp(0.4 * rng.normal(size=len(y))),
        "ewma": y * np.exp(0.8 * rng.normal(size=len(y))),
    }


def volatility_daily(r: dict[str, np.ndarray], keep: np.ndarray | slice = slice(None)) -> VolatilityDaily:
    f = r["model"][keep]
    return VolatilityDaily.from_predictions(
        r["dates"][keep], r["target"][keep], f, {"ewma": r["ewma"][keep]}, (f / 2, f * 2), bars_per_year=365.0
    )


def test_direction_summary_equals_the_direct_computation() -> None:
    r = direction_rows()
    s = direction_daily(r).summary()
    y, p = r["labels"], r["model"]
    assert s["rows"] == len(y) and s["days"] == 150
    assert s["log_loss"] == pytest.approx(classification.log_loss(y, p), abs=1e-12)
    assert s["log_loss_prior"] == pytest.approx(classification.log_loss(y, r["prior"]), abs=1e-12)
    assert s["log_loss_vs_logistic"] == pytest.approx(
        classification.log_loss(y, p) - classification.log_loss(y, r["logistic"]), abs=1e-12
    )
    assert s["brier"] == pytest.approx(classification.brier(y, p), abs=1e-12)
    assert s["mcc"] == pytest.approx(classification.mcc(y, p.argmax(axis=1)), abs=1e-12)
    assert s["mcc_prior"] == 0.0
    assert s["balanced_accuracy"] == pytest.approx(classification.balanced_accuracy(y, p.argmax(axis=1)), abs=1e-12)
    assert s["up_down_accuracy"] == pytest.approx(classification.up_down_accuracy(y, p), abs=1e-12)
    assert s["ece"] == pytest.approx(calibration.expected_calibration_error(y, p), abs=1e-12)
    assert s["ece_classwise"] == pytest.approx(calibration.classwise_calibration_error(y, p), abs=1e-12)
    assert s["coverage"] == pytest.approx(r["sets"][np.arange(len(y)), y].mean(), abs=1e-12)
    assert s["set_size"] == pytest.approx(r["sets"].sum(axis=1).mean(), abs=1e-12)
    assert json.loads(json.dumps(s, allow_nan=False)) == s
    assert all(f"{key}_se" in s for key in ("log_loss", "log_loss_vs_prior", "mcc", "ece", "coverage", "accuracy"))


def test_volatility_summary_equals_the_direct_computation() -> None:
    r = volatility_rows()
    s = volatility_daily(r).summary(horizon=5)
    y, f, e = r["target"], r["model"], r["ewma"]
    assert s["qlike"] == pytest.approx(volatility.qlike(y, f), abs=1e-12)
    assert s["qlike_vs_ewma"] == pytest.approx(volatility.qlike(y, f) - volatility.qlike(y, e), abs=1e-12)
    assert s["vol_mse_ewma"] == pytest.approx(volatility.vol_mse(y, e, 365.0), abs=1e-12)
    assert s["r2"] == pytest.approx(volatility.vol_r2(y, f, 365.0), abs=1e-10)
    assert s["coverage"] == pytest.approx(((f / 2 <= y) & (y <= f * 2)).mean(), abs=1e-12)


@pytest.mark.parametrize(
    ("key", "score"),
    [
        ("mcc", lambda y, p: classification.mcc(y, p.argmax(axis=1))),
        ("log_loss", classification.log_loss),
        ("up_down_accuracy", classification.up_down_accuracy),
    ],
)
def test_standard_error_equals_the_jackknife_over_days_done_the_long_way(key: str, score: object) -> None:
    r = direction_rows(symbols=5, days=60)
    days = np.unique(r["dates"])
    without = np.array([score(r["labels"][r["dates"] != d], r["model"][r["dates"] != d]) for d in days])  # type: ignore[operator]
    expected = np.sqrt((len(days) - 1) / len(days) * ((without - without.mean()) ** 2).sum())
    assert direction_daily(r).summary()[f"{key}_se"] == pytest.approx(expected, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 100))
def test_blocks_add_up_in_any_order(order: list[int], seed: int) -> None:
    for rows, build in (
        (direction_rows(seed, 6, 40), direction_daily),
        (volatility_rows(seed, 6, 40), volatility_daily),
    ):
        # Symbols of different length: block k lacks the first k days.
        rows = {k: v[np.tile(np.arange(40), 6) >= rows["symbol"]] for k, v in rows.items()}
        whole = build(rows)  # type: ignore[operator]
        parts = [build(rows, rows["symbol"] == k) for k in order]  # type: ignore[operator]
        merged = type(whole).merge(type(whole).merge(*parts[:2]), type(whole).merge(*parts[2:]))
        a, b = whole.summary(), merged.summary()
        assert a.keys() == b.keys()
        np.testing.assert_allclose(list(a.values()), list(b.values()), rtol=1e-9, atol=1e-12)
        for key in whole.sums:
            np.testing.assert_allclose(whole.sums[key], merged.sums[key], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("daily", [direction_daily(direction_rows()), volatility_daily(volatility_rows())])
def test_arrays_bring_back_the_same_sums(daily: DirectionDaily | VolatilityDaily) -> None:
    arrays = daily.to_arrays()
    assert all(a.dtype.kind in "iuf" for a in arrays.values())
    again = type(daily).from_arrays(arrays)
    assert again.names == daily.names
    np.testing.assert_array_equal(again.dates, daily.dates)
    assert again.sums.keys() == daily.sums.keys()
    for key, value in daily.sums.items():
        np.testing.assert_array_equal(again.sums[key], value)


def test_counts_are_kept_in_as_few_bytes_as_they_need_and_come_back_as_they_were() -> None:
    for counts, bytes_each in ((255.0, 1), (256.0, 2), (65_536.0, 4), (2.0**32, 8), (0.5, 8), (np.inf, 8), (-1.0, 8)):
        daily = VolatilityDaily(
            np.array(["2020-01-01", "2020-01-02"], "M8[D]"), ("model",), {"x": np.array([0, counts])}
        )
        stored = daily.to_arrays()
        assert stored["x"].itemsize == bytes_each
        np.testing.assert_array_equal(VolatilityDaily.from_arrays(stored).sums["x"], daily.sums["x"])


def test_memory_depends_on_days_not_on_symbols() -> None:
    few, many = (direction_daily(direction_rows(0, n, 50)) for n in (2, 60))
    assert sum(v.nbytes for v in few.sums.values()) == sum(v.nbytes for v in many.sums.values())


def test_clustered_errors_see_the_shock_that_symbols_share() -> None:
    """Fifty symbols that move as one are one symbol: the error must not shrink with their number."""
    rng = np.random.default_rng(5)
    shared = np.repeat(rng.normal(size=(400, 1)), 50, axis=1)

    def error(values: np.ndarray) -> float:
        rows = np.full(len(values), values.shape[1], dtype=float)
        return float(day_jackknife(ratio, (values.sum(axis=1), rows), 0)[1])

    assert error(shared) == pytest.approx(shared[:, 0].std(ddof=1) / 20, rel=1e-9)
    assert error(rng.normal(size=(400, 50))) == pytest.approx(1 / np.sqrt(400 * 50), rel=0.1)


def test_overlapping_horizons_widen_the_error_to_its_true_size() -> None:
    horizon, days, runs = 5, 500, 400
    noise = np.random.default_rng(6).normal(size=(days + horizon - 1, runs))
    overlapping = np.lib.stride_tricks.sliding_window_view(noise, horizon, axis=0).mean(axis=2)
    influence = (overlapping - overlapping.mean(axis=0)) / days
    truth = overlapping.mean(axis=0).std()
    assert np.sqrt((long_run_se(influence, horizon - 1) ** 2).mean()) == pytest.approx(truth, rel=0.08)
    assert long_run_se(influence, 0).mean() < 0.55 * truth
    np.testing.assert_allclose(hac_weights(4, 100), [1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_too_few_days_have_no_error() -> None:
    r = direction_rows(symbols=4, days=1)
    s = direction_daily(r).summary()
    assert np.isfinite(s["log_loss"]) and np.isnan(s["log_loss_se"]) and np.isnan(s["mcc_se"])


def test_bars_without_movement_are_left_out_and_counted() -> None:
    r = volatility_rows(days=20)
    still = dict(r, target=np.where(np.arange(200) == 7, 0.0, r["target"]))
    moving = np.arange(200) != 7
    s = volatility_daily(still).summary()
    assert s["excluded"] == 1.0 and s["rows"] == 199.0
    assert s["qlike"] == pytest.approx(volatility.qlike(r["target"][moving], r["model"][moving]), abs=1e-12)


def test_rows_that_a_baseline_borrows_are_told() -> None:
    r = volatility_rows()
    own = np.arange(len(r["target"])) % 4 > 0
    ewma = np.where(own, r["ewma"], r["model"])
    s = VolatilityDaily.from_predictions(
        r["dates"], r["target"], r["model"], {"ewma": ewma, "same": r["model"]}, own={"ewma": own}, bars_per_year=252.0
    ).summary()
    assert s["borrowed_ewma"] == pytest.approx(0.25, abs=0.01)
    assert "borrowed_same" not in s
    result = KindResult("volatility", s | {"qlike_vs_log_har_pooled": 0.0})
    text = "\n".join(str(one) for one in render([result]))
    assert "ewma has no forecast for 25.0% of the rows and repeats the model's" in text


def test_wrong_input_is_refused() -> None:
    r = volatility_rows()
    with pytest.raises(ValueError, match="datetime64"):
        volatility_daily(dict(r, dates=np.arange(len(r["target"]))))
    with pytest.raises(ValueError, match="positive"):
        volatility_daily(dict(r, ewma=np.full(len(r["target"]), np.nan)))
    with pytest.raises(ValueError, match="low ≤ high"):
        ends = r["model"], r["model"] / 2
        VolatilityDaily.from_predictions(r["dates"], r["target"], r["model"], interval=ends, bars_per_year=252.0)
    with pytest.raises(ValueError, match="label sets"):
        DirectionDaily.from_predictions(r["dates"][:1], [0], [[1, 0, 0]], label_sets=[[True]])
    alone = VolatilityDaily.from_predictions(r["dates"], r["target"], r["model"], bars_per_year=252.0)
    with pytest.raises(ValueError, match="one set of forecasters"):
        VolatilityDaily.merge(alone, volatility_daily(r))


def test_scores_by_symbol_are_those_of_the_symbol_alone() -> None:
    r, names = direction_rows(symbols=3, days=80), ["A", "B", "C", "NONE"]
    out = direction_by_symbol(names, r["symbol"], r["labels"], r["model"], {"prior": r["prior"]})
    own = r["symbol"] == 1
    s = DirectionDaily.from_predictions(
        r["dates"][own], r["labels"][own], r["model"][own], {"prior": r["prior"][own]}
    ).summary()
    assert out["NONE"] == {}
    for key in ("rows", "log_loss", "log_loss_prior", "mcc", "accuracy", "log_loss_vs_prior", "log_loss_vs_prior_se"):
        assert out["B"][key] == pytest.approx(s[key], rel=1e-6), key
    v = volatility_rows(symbols=3, days=80)
    by = volatility_by_symbol(["A", "B", "C"], v["symbol"], v["target"], v["model"], {"ewma": v["ewma"]}, horizon=5)
    s = volatility_daily(v, v["symbol"] == 2).summary(horizon=5)
    for key in ("qlike", "qlike_ewma", "qlike_vs_ewma", "qlike_vs_ewma_se"):
        assert by["C"][key] == pytest.approx(s[key], rel=1e-6), key

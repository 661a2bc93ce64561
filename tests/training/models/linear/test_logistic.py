from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as Reference

from training.metrics import classification
from training.models.calibration.softmax_newton import softmax
from training.models.linear.class_prior import ClassPrior
from training.models.linear.logistic import LogisticRegression


def simulate(symbols: int, bars: int, seed: int, strength: float = 0.5, features: int = 8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = symbols * bars
    x = rng.normal(size=(rows, features)).astype(np.float32)
    x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1] + 0.5
    weight = rng.normal(size=(features, 3)) * strength
    p = softmax(x @ weight + np.log([0.2, 0.5, 0.3]))
    y = np.minimum((rng.random(rows)[:, None] > p.cumsum(axis=1)).sum(axis=1), 2)
    time = np.tile(np.arange(bars), symbols)
    return {
        "x": x,
        "y": y,
        "p": p,
        "row": np.repeat(np.arange(symbols), bars),
        "train": time < 0.6 * bars,
        "valid": (time >= 0.6 * bars) & (time < 0.8 * bars),
        "test": time >= 0.8 * bars,
    }


@pytest.mark.parametrize("ridge", [3.0, 300.0])
@pytest.mark.parametrize("strength", [0.05, 1.0])
def test_regression_agrees_with_scikit_learn(ridge: float, strength: float) -> None:
    d = simulate(2, 1500, 0, strength)
    fitted = LogisticRegression.fit_per_symbol(d["x"], d["y"], d["row"], 2, d["train"], d["valid"], grid=(ridge,))
    for symbol in range(2):
        own = d["train"] & (d["row"] == symbol)
        reference = Reference(C=1 / ridge, tol=1e-10, max_iter=5000).fit(d["x"][own], d["y"][own])
        fresh = d["test"] & (d["row"] == symbol)
        np.testing.assert_allclose(
            fitted.predict(d["x"][fresh], d["row"][fresh]), reference.predict_proba(d["x"][fresh]), atol=3e-3
        )


def test_pooled_regression_reaches_the_loss_of_the_truth() -> None:
    d = simulate(10, 2000, 1)
    pooled = LogisticRegression.fit_pooled(d["x"], d["y"], d["train"], d["valid"])
    p = pooled.predict(d["x"][d["test"]], d["row"][d["test"]])
    assert (
        classification.log_loss(d["y"][d["test"]], p)
        < classification.log_loss(d["y"][d["test"]], d["p"][d["test"]]) + 0.005
    )


def test_centred_fit_uses_what_symbols_share() -> None:
    d = simulate(10, 150, 2, features=20)
    args = (d["x"], d["y"], d["row"], 10, d["train"], d["valid"])
    pooled = LogisticRegression.fit_pooled(d["x"], d["y"], d["train"], d["valid"])
    test = d["test"]
    loss = {
        name: classification.log_loss(d["y"][test], model.predict(d["x"][test], d["row"][test]))
        for name, model in (
            ("alone", LogisticRegression.fit_per_symbol(*args)),
            ("centred", LogisticRegression.fit_per_symbol(*args, center=pooled)),
        )
    }
    assert loss["centred"] < loss["alone"] - 0.02


def test_without_signal_the_regression_forecasts_near_the_prior() -> None:
    d = simulate(10, 1000, 3, strength=0.0, features=30)
    model = LogisticRegression.fit_per_symbol(d["x"], d["y"], d["row"], 10, d["train"], d["valid"])
    prior = ClassPrior.fit(d["y"][d["train"]], d["row"][d["train"]], 10)
    test = d["test"]
    loss = classification.log_loss(d["y"][test], model.predict(d["x"][test], d["row"][test]))
    assert loss < classification.log_loss(d["y"][test], prior.predict(d["row"][test])) + 0.01


def test_result_of_a_symbol_does_not_depend_on_its_neighbours_or_the_order_of_rows() -> None:
    d = simulate(4, 400, 4)
    together = LogisticRegression.fit_per_symbol(d["x"], d["y"], d["row"], 5, d["train"], d["valid"])
    own = d["row"] == 2
    alone = LogisticRegression.fit_per_symbol(
        d["x"][own], d["y"][own], np.zeros(400), 1, d["train"][own], d["valid"][own]
    )
    np.testing.assert_allclose(alone.weight[0], together.weight[2], atol=1e-6)
    by_time = np.argsort(np.tile(np.arange(400), 4), kind="stable")
    mixed = LogisticRegression.fit_per_symbol(
        *(d[k][by_time] for k in ("x", "y", "row")), 5, *(d[k][by_time] for k in ("train", "valid"))
    )
    np.testing.assert_array_equal(mixed.weight, together.weight)
    np.testing.assert_allclose(together.predict(d["x"][:1], [4]), np.full((1, 3), 1 / 3))


def test_to_arrays_round_trips() -> None:
    d = simulate(3, 200, 5)
    model = LogisticRegression.fit_per_symbol(d["x"], d["y"], d["row"], 3, d["train"], d["valid"])
    again = LogisticRegression.from_arrays(model.to_arrays())
    np.testing.assert_array_equal(again.predict(d["x"], d["row"]), model.predict(d["x"], d["row"]))


def test_invalid_input_is_rejected() -> None:
    d = simulate(2, 50, 6)
    broken = d["x"].copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        LogisticRegression.fit_pooled(broken, d["y"], d["train"], d["valid"])
    with pytest.raises(ValueError, match="no training rows"):
        LogisticRegression.fit_pooled(d["x"], d["y"], np.zeros(100, dtype=bool), d["valid"])

"""What a predictor is worth on the test period: the table's losses, the daily sums and the scores agree."""

from dataclasses import replace

import numpy as np
import pytest

from features.splits import resolve_split
from training.metrics.classification import log_loss_rows
from training.metrics.daily import DirectionDaily, VolatilityDaily
from training.metrics.volatility import qlike_rows
from training.predictors import predictor_class
from training.predictors.input_bars import panel_of
from training.tasks import task_of
from training.validation.evaluate import evaluate

SYMBOLS = ("AAA", "BBB")


@pytest.fixture(scope="module")
def scored(tiny_config, make_universe):
    config = tiny_config()
    bars = make_universe(SYMBOLS)
    panel = panel_of(bars, bars, config, None, None)

    def make(kind):
        split = resolve_split(panel.dates, config.split, getattr(config, kind).horizon)
        examples = task_of(kind).examples(panel, split, config)
        predictor = predictor_class(kind)(config).fit_every(examples)
        return predictor, examples, evaluate(predictor, examples)

    return make


def test_direction_is_scored_on_every_test_row(scored):
    _, examples, found = scored("direction")
    table = found.table.to_pandas()
    labels, symbol = examples.labels("test")
    np.testing.assert_array_equal(table["label"], labels)
    assert table["symbol"].tolist() == [SYMBOLS[i] for i in symbol]
    chance = table[["p_down", "p_sideways", "p_up"]].to_numpy(np.float64)
    np.testing.assert_allclose(table["loss"], log_loss_rows(labels, chance), atol=1e-6)
    for i, name in enumerate(SYMBOLS):
        trained = examples.labels("train")[0][examples.labels("train")[1] == i]
        prior = (np.bincount(trained, minlength=3) + 1.0) / (len(trained) + 3.0)
        own = (table["symbol"] == name).to_numpy()
        np.testing.assert_allclose(table["loss_prior"][own], -np.log(prior[labels[own]]), rtol=1e-6)
    summary = DirectionDaily.from_arrays(found.daily).summary()
    assert summary["log_loss"] == pytest.approx(table["loss"].mean(), abs=1e-6)
    assert summary["log_loss_logistic"] == pytest.approx(table["loss_logistic"].mean(), abs=1e-6)
    for name in SYMBOLS:
        own = table["symbol"] == name
        assert found.per_symbol[name]["log_loss"] == pytest.approx(table["loss"][own].mean(), abs=1e-6)
    inside = table[["in_set_down", "in_set_sideways", "in_set_up"]].to_numpy()
    assert summary["coverage"] == pytest.approx(inside[np.arange(len(labels)), labels].mean())


def test_label_sets_of_later_bars_know_what_the_test_period_taught(scored):
    """The others keep the sets of validation: with the later state they would know their own outcomes."""
    fitted, examples, found = scored("direction")
    predictor, before = found.adapted, fitted.to_arrays()
    arrays = predictor.to_arrays()
    np.testing.assert_array_equal(
        before["adapted/error_rate"], before["sets/error_rate"], "the one scored is unchanged"
    )
    level = predictor.config.direction.conformal_level
    np.testing.assert_allclose(arrays["sets/error_rate"], 1.0 - level)
    assert (arrays["adapted/error_rate"] != 1.0 - level).all()
    panel = examples.panel
    for i, rows in enumerate(examples.part("test")):
        last = panel.dates[panel.rows(i)][rows[-1] + predictor.config.direction.horizon]
        assert arrays["adapted_to"][i] == last.astype("datetime64[ns]").astype(np.int64)
    arrays["adapted/error_rate"][:] = 1.0  # would leave the likeliest class alone
    other = type(predictor).from_state(predictor.symbols, arrays, predictor.meta())
    later = replace(panel, dates=panel.dates + np.timedelta64(900, "D"))
    names = ["in_set_down", "in_set_sideways", "in_set_up"]
    assert (other.predict_panel(panel)[names].sum(axis=1) > 1).any()
    assert (other.predict_panel(later)[names].sum(axis=1) == 1).all()


@pytest.mark.slow
def test_volatility_is_scored_on_every_test_row(scored):
    _, examples, found = scored("volatility")
    table = found.table.to_pandas()
    panel_rows, _ = examples.panel_rows(examples.part("test"))
    np.testing.assert_allclose(table["target"], examples.targets[panel_rows], rtol=1e-6)
    np.testing.assert_allclose(table["loss"], qlike_rows(table["target"], table["forecast"]), rtol=1e-3)
    summary = VolatilityDaily.from_arrays(found.daily).summary(5)
    assert summary["qlike"] == pytest.approx(table["loss"].mean(), rel=1e-5)
    for name in ("ewma", "garch", "log_har", "log_har_pooled", "linear", "forest", "lstm"):
        assert summary[f"qlike_{name}"] == pytest.approx(table[f"loss_{name}"].mean(), rel=1e-5)
    covered = (table["low"] <= table["target"]) & (table["target"] <= table["high"])
    assert summary["coverage"] == pytest.approx(covered.mean(), abs=0.02)


@pytest.mark.parametrize("kind", ["direction", "volatility"])
def test_without_test_rows_nothing_is_scored(scored, kind):
    predictor, examples, _ = scored(kind)
    nothing = tuple(rows._replace(test=rows.test[:0]) for rows in examples.rows)
    found = evaluate(predictor, replace(examples, rows=nothing))
    assert found.table is None
    assert found.daily == {}
    assert found.per_symbol == {"AAA": {}, "BBB": {}}

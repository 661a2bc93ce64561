"""An ablation finds a planted group, adds nothing for noise, reads no test bar, and fits nothing twice."""

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.alternative.checks import ReadingOptions
from features.alternative.read_series import read_series
from features.labels import bar_variance
from features.store.alternative import AlternativeLake
from features.store.lake import Lake
from features.store.store import Store
from training import ModelTrainer
from training.ablation import Ablation
from training.before_test import before_test
from training.metrics.comparison import Comparison
from training.validation.group_effect import GroupEffect, chance_line

OPTIONS = ReadingOptions("test", np.datetime64("2100-01-01", "ns"))
SYMBOLS = ("AAA", "BBB", "CCC")


@pytest.fixture(scope="module")
def config(tiny_config):
    wanted = "features.technical_indicators=[volatility, options, macro]"
    switches = ("features.use_alternative_data=true", "features.max_features=null", "data.bars=lake")
    return tiny_config(wanted, *switches, "run.kinds=[volatility]", "volatility.members=[boosting]")


@pytest.fixture(scope="module")
def store(tmp_path_factory, make_universe):
    """A lake of bars, of implied volatilities that know the next week's, and of a market series of noise."""
    store, rng = Store(tmp_path_factory.mktemp("ablation")), np.random.default_rng(0)
    frames = []
    for bars in make_universe(SYMBOLS, bars=700):
        Lake(store).append(bars)
        ahead = pd.Series(bar_variance(bars)).rolling(5).mean().shift(-5).fillna(1e-4)
        frames.append(known(bars.dates, bars.symbol, "iv30", np.sqrt(252.0 * ahead.to_numpy())))
    frames.append(known(bars.dates, "", "NOISE", rng.normal(size=len(bars.dates))))
    AlternativeLake(store).append("series", read_series(pd.concat(frames), OPTIONS).rows)
    return store


def known(dates: np.ndarray, symbol: str, series: str, values: np.ndarray) -> pd.DataFrame:
    at = pd.DatetimeIndex(dates).tz_localize("UTC") + pd.Timedelta(hours=12)
    return pd.DataFrame({"symbol": symbol, "series": series, "period": dates, "value": values, "known_from": at})


@pytest.mark.slow
def test_a_planted_group_is_found_on_the_validation_period_and_noise_is_not(store, config, make_universe):
    ablation = Ablation(config, store)
    prepared = ablation.prepare()
    result = ablation.run(prepared)
    assert result.fits == result.jobs == sum(len(plan.jobs) for plan in prepared.plans.values()) and not result.failed
    effects = {effect.groups: effect for effect in result.effects}
    assert list(effects) == [("options",), ("macro",), ("options", "macro")], "groups that are absent are not listed"
    found, noise, every = effects.values()
    assert found.difference.value < -3 * found.difference.se < 0.0 and "options lowers QLIKE by" in found.sentence
    assert "macro adds nothing" in noise.sentence or noise.difference.value > 0.0
    assert every.difference.value < 0.0 and every.symbols == 3
    assert found.with_groups == pytest.approx(noise.with_groups), "one model with all features, on the same rows"
    assert found.known == 1.0 and found.known_in_training > 0.99, "the first date is a holiday"

    dates = make_universe(SYMBOLS[:1], bars=700)[0].dates
    first_test = dates[round(0.8 * len(dates))]
    assert prepared.split.test_end < first_test and found.days <= 0.2 * len(dates)
    again = ablation.prepare()
    assert again.is_finished and ablation.run(again).effects == result.effects


def test_bars_of_the_test_period_are_not_read(store, config, make_universe, tmp_path):
    """The same fits and figures from a lake whose bars of the test period have other prices."""
    first = Ablation(config, store).prepare()
    other = Store(tmp_path)
    for bars in make_universe(SYMBOLS, bars=700):
        later = bars.dates > first.split.test_end
        drift = 1.002 ** np.cumsum(later)  # a step would be refused
        frame = {name: getattr(bars, name) * drift for name in ("open", "high", "low", "close")}
        Lake(other).append(type(bars)(bars.symbol, bars.dates, *frame.values(), bars.volume, True, True))
    lake = AlternativeLake(store)
    AlternativeLake(other).append("series", read_series(lake.read_all("series"), OPTIONS).rows)
    outputs = [
        sorted(job.output for plan in one.plans.values() for job in plan.jobs)
        for one in (first, Ablation(config, other).prepare())
    ]
    assert outputs[0] == outputs[1], "the name of an output has a hash of all that it depends on"


def test_a_run_without_a_group_records_it(store, config):
    features = config.features.model_copy(update={"without": ("macro",)})
    plan = ModelTrainer(config.model_copy(update={"features": features}), store).prepare(SYMBOLS).plan
    groups = {name.partition("_")[0] for name in plan.feature_names}
    assert "options" in groups and "macro" not in groups
    assert plan.config.of_models()["features"]["without"] == ["macro"], "a version's manifest has these settings"


def test_without_alternative_data_there_is_nothing_to_leave_out(store, config, tiny_config):
    with pytest.raises(DataError, match="use no alternative data, so there is nothing to leave out"):
        Ablation(tiny_config("data.bars=lake"), store).prepare()
    narrow = config.features.model_copy(update={"technical_indicators": ("volatility",)})
    with pytest.raises(DataError, match="no feature is of alternative data"):
        Ablation(config.model_copy(update={"features": narrow}), store).prepare()


def test_a_day_that_is_both_validation_and_test_is_left_out(config, store):
    split = Ablation(config, store).prepare().split
    intraday = type(split)(
        np.datetime64("2020-01-31T21:00", "ns"),
        np.datetime64("2020-02-03T09:00", "ns"),
        np.datetime64("2020-02-28T12:00", "ns"),
        np.datetime64("2020-02-28T13:00", "ns"),
        np.datetime64("2020-03-31T21:00", "ns"),
        1,
    )
    found = before_test(config, intraday)
    assert str(found.data.end) == str(found.split.test_end) == "2020-02-27" and not found.run.refit
    assert str(found.split.valid_end) == "2020-01-31" and str(found.split.test_start) == "2020-02-03"


@pytest.mark.parametrize(
    ("value", "error", "known", "words"),
    [
        (-0.01, 0.001, (1.0, 1.0), "macro lowers log loss by 1.0% (log loss −0.01000 ± 0.00100)"),
        (0.01, 0.001, (1.0, 1.0), "WORSE: macro costs 1.0%"),
        (-0.01, 0.006, (1.0, 1.0), "macro adds nothing detectable"),
        (-0.0005, 0.0001, (1.0, 1.0), "adds nothing that matters"),
        (-0.01, float("nan"), (1.0, 1.0), "too few days"),
        (-0.01, 0.001, (1.0, 0.0), "no value in training"),
        (-0.01, 0.001, (0.0, 1.0), "no value on the scored rows"),
    ],
)
def test_sentences_claim_no_more_than_the_numbers(value, error, known, words):
    difference = Comparison(value, error)
    effect = GroupEffect("direction", ("macro",), 1.0 + value, 1.0, difference, 3, 900, 300, *known)
    assert words in effect.sentence


def effects_of(*differences: float, known: float = 1.0) -> list[GroupEffect]:
    return [
        GroupEffect("volatility", ("macro",), 1.0, 1.0, Comparison(value, 0.1), 3, 900, 300, known, 1.0)
        for value in differences
    ]


def test_many_comparisons_are_reported_with_those_that_chance_explains():
    effects = [*effects_of(0.0, 0.19, -0.21, 0.5), *effects_of(1.0, known=0.0)]
    unknown = GroupEffect("volatility", ("macro",), 1.0, 1.0, Comparison(1.0, float("nan")), 3, 900, 300, 1.0, 1.0)
    assert chance_line([*effects, unknown] * 5) == (
        "10 of 20 differences exceed 2 standard errors; about 0.9 would by chance if no group added anything. "
        "Corrected for 20 comparisons (Bonferroni), 5 exceed 3.05"
    ), "scipy.stats.norm.isf(2 * norm.sf(2) / 40) is 3.0518"


def test_one_group_of_two_kinds_is_two_comparisons():
    assert chance_line(effects_of(-0.22, 0.0)) == (
        "1 of 2 differences exceeds 2 standard errors; about 0.1 would by chance if no group added anything. Corrected "
        "for 2 comparisons (Bonferroni), 0 exceed 2.28"
    )


def test_a_single_difference_needs_no_correction():
    assert chance_line(effects_of(-0.22)) == (
        "the only difference exceeds 2 standard errors; by chance it would with a probability of 5%"
    )
    assert "does not exceed 2 standard errors" in chance_line(effects_of(0.1))
    assert chance_line(effects_of(-0.5, known=0.0)) == "no difference can be judged"

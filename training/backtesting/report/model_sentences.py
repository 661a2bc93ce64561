"""What is true of the models behind a backtest, of its simulations and of its significance, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from configs.errors import shortened
from configs.words import counted
from training.backtesting.report.model_figures import best_baseline, sharpe_ranges
from training.backtesting.report.numbers import interval, number, percent, with_error
from training.backtesting.result import BacktestResult
from training.backtesting.statements import unchanged
from training.metrics.comparison import MetricSummary
from training.registry.walk_forwards import KindScores
from training.tasks import task_of
from training.validation.significance.sentence import CONFIDENCE
from training.validation.skill_by_window import best_by_window, trend

EMBEDDED = "embedded"
_CALIBRATION = ("coverage", "level", "calibration_error")
SURVIVORS = (
    "The embedded bars are of companies chosen after the period, because they still exist: everything that is bought "
    "looks better here than it would have been. Compare with buy and hold of the same symbols, not with zero."
)


def notes(result: BacktestResult) -> list[str]:
    """Return what a reader must know before any figure."""
    survivors = [SURVIVORS] if result.origin.bars == EMBEDDED else []
    ended = ended_early(result)
    missing = [f"Without {title}: {reason}" for title, reason in result.missing.items()]
    return [
        *survivors,
        *map(as_sentence, (*ended, *missing, *unchanged(result), *result.notes, *result.simulation.notes)),
    ]


def ended_early(result: BacktestResult) -> Iterator[str]:
    """Yield which symbols have no bars at the end of the period, after which nothing is held of them."""
    market = result.simulation.market
    early = np.flatnonzero(market.has_ended)
    if len(early):
        names = shortened([market.symbols[s] for s in early])
        first = str(market.dates[market.last_bar[early].min()])[:10]
        yield f"the bars of {names} end before the period does, the first on {first}; later returns are of the others"


def losses(scores: KindScores) -> str:
    """Say what the mean losses were over all windows, and who was best in how many of them."""
    task, summary = task_of(scores.kind), MetricSummary(scores.metrics)
    titles = dict(task.layout.references)
    means = [("the model", summary.model(task.loss).value)]
    means += [(title, summary.baseline(task.loss, name).value) for name, title in titles.items()]
    best = best_by_window(scores.kind, [window.metrics for window in scores.windows]).most_common()
    wins = ", ".join(f"{titles.get(name, 'the model')} in {count}" for name, count in best)
    text = ", ".join(f"{title} {number(value, 4)}" for title, value in means)
    return f"Mean {task.loss_title} over all windows: {text}. Lowest by window: {wins}."


def gains(scores: KindScores) -> str:
    """Say in how many windows the model was better than the best baseline, and by how much over all of them."""
    task, baseline = task_of(scores.kind), best_baseline(scores)
    title = dict(task.layout.references).get(baseline, baseline)
    found = [MetricSummary(window.metrics).difference(task.loss, baseline) for window in scores.windows]
    known = [one for one in found if math.isfinite(one.value)]
    wins = sum(one.value < 0 for one in known)
    total = MetricSummary(scores.metrics).difference(task.loss, baseline)
    text = (
        f"The model had a lower {task.loss_title} than {title}, the best baseline, in "
        f"{wins} of {counted(len(known), 'window')}; the difference over all of them is {with_error(total)} "
        "(below 0: the model is better)"
    )
    slope = trend(found)
    return f"{text}, and it changes by {with_error(slope)} a window." if slope.is_known else f"{text}."


def calibration(result: BacktestResult, kind: str) -> str:
    """Say how far intervals or probabilities are from what they promise."""
    found = result.calibration[result.calibration["kind"] == kind]
    figures = {name: found[name].to_numpy(np.float64) for name in _CALIBRATION if name in found.columns}
    figures = {name: values for name, values in figures.items() if np.isfinite(values).any()}
    weight = found["rows"].to_numpy(np.float64)
    means = {name: _mean(values, weight) for name, values in figures.items()}
    ends = {name: (float(np.nanmin(values)), float(np.nanmax(values))) for name, values in figures.items()}
    if "coverage" in figures:
        low, high = ends["level"]
        return (
            f"{percent(means['coverage'])}{_error(result, kind, 'coverage')} of outcomes were within their interval, "
            f"which promises {percent(task_of(kind).coverage_level(result.config), 0)}; by window "
            f"{interval(*ends['coverage'], True)}. The mean outcome over the mean forecast of variance was "
            f"{number(means['level'])} (1 is unbiased), by window {number(low)} to {number(high)}."
        )
    return (
        f"Probabilities differed from frequencies by {percent(means['calibration_error'])}"
        f"{_error(result, kind, 'ece')} on average over windows, {interval(*ends['calibration_error'], True)}; "
        "in windows this short, a part of it is chance."
    )


def monte_carlo(result: BacktestResult) -> list[str]:
    """Return what each kind of simulation says, and why others are missing."""
    found = result.simulated
    if found is None:
        return ["No simulation was asked for (--simulations 1000)."]
    text = list[str]()
    if sharpe_ranges(result):
        text.append(
            f"Bars are the 5 % to 95 % quantiles of {counted(found.simulations, 'simulation')} of each kind, dots "
            f"their median, and the line is the strategy's Sharpe ratio of {number(result.sharpe_ratio)}."
        )
    if found.timing_p_value is not None and math.isfinite(found.timing_p_value):
        text.append(
            "The same positions at random times have at least this Sharpe ratio with a probability of "
            f"{number(found.timing_p_value, 3)}."
        )
    if "50%" in found.drawdowns:
        low, middle, high = (percent(-found.drawdowns[name]) for name in ("95%", "50%", "5%"))
        text.append(f"The same returns in other orders have a largest drawdown of {middle} ({low} to {high}).")
    for title, one in (("Noisy prices", found.noise), ("Other costs and settings", found.perturbed)):
        if one and "50%" in one["total_return"]:
            text.append(f"{title}: a loss in {percent(one['total_return']['below_zero'], 0)} of the simulations.")
    return text + [as_sentence(f"Without {title}: {reason}") for title, reason in found.missing.items()]


def worth(result: BacktestResult) -> list[str]:
    """Return what the volatility forecasts are worth to an investor who targets volatility."""
    found = result.economic
    if found is None:
        return []
    text = [
        "Equal shares of all symbols, each scaled to a volatility of 10 % without costs, had a volatility of "
        f"{percent(found.volatility)} with the model and of {percent(found.volatility_ewma)} with the EWMA: several "
        "symbols together have less than each."
    ]
    if math.isfinite(found.gain.value):
        text.append(
            f"Realised utility was {percent(found.utility, 2)} a year, with the EWMA {percent(found.utility_ewma, 2)}, "
            f"and at most 4 % with perfect forecasts: the model adds {with_error(found.gain, 1, 1e4)} bps."
        )
    fees = [f"{with_error(fee, 0, 1e4)} bps at risk aversion {one}" for one, fee in found.fees.items()]
    text.append(f"The fee a year that is worth paying for the model instead of the EWMA is {' and '.join(fees)}.")
    return text


def significance(result: BacktestResult) -> str:
    """Say what the tests of the Sharpe ratio assume."""
    bars, needed = result.judgement.deflated.record.bars, result.judgement.needed_bars
    text = (
        "The deflated Sharpe ratio (DSR) is the probability that the true ratio is above the best that "
        f"{counted(result.judgement.deflated.trials, 'trial')} without skill would show by chance; every backtest and "
        "study in the store counts as a trial."
    )
    if not math.isfinite(needed):
        return (
            f"{text} No length of the record would show a true ratio above 0 with {percent(CONFIDENCE, 0)} confidence."
        )
    return (
        f"{text} One trial with this ratio needs {counted(math.ceil(needed), 'bar')} to show a true ratio above 0 with "
        f"{percent(CONFIDENCE, 0)} confidence; there are {number(bars, 0)}."
    )


def _error(result: BacktestResult, kind: str, metric: str) -> str:
    """Return the standard error over all windows of the walk-forward run, clustered by day; empty where unknown."""
    if kind not in result.origin.windows:
        return ""
    error = MetricSummary(result.origin.windows[kind].metrics).model(metric).se
    return f" ± {percent(error)}" if math.isfinite(error) else ""


def _mean(values: np.ndarray, weight: np.ndarray) -> float:
    known = np.isfinite(values)
    return float(np.average(values[known], weights=weight[known])) if known.any() else math.nan


def as_sentence(text: str) -> str:
    """Return a statement with a capital and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."

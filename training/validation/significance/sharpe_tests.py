r"""Tests of a Sharpe ratio: probabilistic, deflated by the number of trials, and the track record that it needs.

Every Sharpe ratio in this module is *per bar*: an annualised one divided by √bars a year. Its variance is taken under
the estimated ratio, :math:`(1 - \gamma_3 SR + \frac{\gamma_4 - 1}{4} SR^2) / (T - 1)`, with γ₃ the skewness and γ₄ the
kurtosis (3 for a normal), as in the papers; variants that put the benchmark in its place give slightly other numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from training.metrics.money import check_returns, moments


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """A Sharpe ratio per bar, the number of its returns, and their skewness and kurtosis (3 for a normal)."""

    sharpe: float
    bars: int
    skew: float = 0.0
    kurtosis: float = 3.0

    @classmethod
    def of(cls, returns: npt.ArrayLike) -> TrackRecord:
        """Return the record of returns (T,); NaN, bars without a return, do not count."""
        r = check_returns(np.asarray(returns, dtype=np.float64).ravel())
        mean, sd, skew, kurtosis = (float(value) for value in moments(r))
        return cls(mean / sd if sd > 0 else math.nan, len(r), skew, kurtosis)

    @property
    def standard_error(self) -> float:
        """Standard error of the Sharpe ratio per bar; NaN with fewer than two bars or without variation.

        References
        ----------
        Mertens, E. (2002). Comments on variance of the IID estimator in Lo (2002).
        """
        spread = 1.0 - self.skew * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2
        return math.sqrt(spread / (self.bars - 1)) if self.bars > 1 and spread > 0 else math.nan


def probabilistic_sharpe(record: TrackRecord, benchmark: float = 0.0) -> float:
    r"""Return the probability :math:`\Phi((SR - SR^*)/\hat\sigma)` that the true ratio exceeds a benchmark.

    References
    ----------
    Bailey & López de Prado (2012). The Sharpe ratio efficient frontier. J. Risk 15, eq. 11.
    """
    return float(ndtr((record.sharpe - benchmark) / record.standard_error))


def minimum_track_record(record: TrackRecord, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Return the bars after which such a ratio is above a benchmark with this confidence; infinite if it is not above.

    References
    ----------
    Bailey & López de Prado (2012), eq. 12.
    """
    if not 0.5 < confidence < 1.0:
        raise ValueError(f"confidence has value {confidence!r}; expected a number between 0.5 and 1")
    if math.isnan(record.sharpe):
        return math.nan
    if record.sharpe <= benchmark:
        return math.inf
    spread = 1.0 - record.skew * record.sharpe + (record.kurtosis - 1.0) / 4.0 * record.sharpe**2
    return float(1.0 + spread * (ndtri(confidence) / (record.sharpe - benchmark)) ** 2)


def expected_best_sharpe(trials: float, variance: float) -> float:
    r"""Return the expected largest ratio of ``trials`` strategies without any skill whose ratios have this variance.

    :math:`\sqrt{V} ((1 - \gamma) \Phi^{-1}(1 - 1/N) + \gamma \Phi^{-1}(1 - 1/(N e)))` with γ = 0.5772…; 0 for one
    trial. Of correlated trials, give the number of independent ones.

    References
    ----------
    Bailey & López de Prado (2014). The deflated Sharpe ratio. J. Portfolio Management 40, eq. 1.
    """
    if not (math.isfinite(trials) and trials >= 1):
        raise ValueError(f"trials has value {trials!r}; expected all that were tried, at least 1")
    if not (math.isfinite(variance) and variance >= 0):
        raise ValueError(f"variance has value {variance!r}; expected that of the trials' ratios per bar, at least 0")
    if trials == 1:
        return 0.0
    one, other = ndtri(1.0 - 1.0 / trials), ndtri(1.0 - 1.0 / (trials * math.e))
    quantiles = (1.0 - np.euler_gamma) * one + np.euler_gamma * other
    return float(math.sqrt(variance) * max(quantiles, 0.0))


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """The probability that the best of ``trials`` has skill. It has no meaning, and no text, without their number."""

    record: TrackRecord
    trials: float
    variance: float

    @property
    def benchmark(self) -> float:
        """The ratio per bar that the best of so many trials without skill is expected to have."""
        return expected_best_sharpe(self.trials, self.variance)

    @property
    def probability(self) -> float:
        """Probability that the true ratio exceeds :attr:`benchmark`; NaN if the ratio is unknown."""
        return probabilistic_sharpe(self.record, self.benchmark)

    def __str__(self) -> str:
        """Return the figure with its number of trials: ``DSR 0.55 of 12 trials``."""
        return f"DSR {self.probability:.2f} of {self.trials:g} trial{'s' * (self.trials != 1)}"


def deflated_sharpe(record: TrackRecord, trials: float, variance: float) -> DeflatedSharpe:
    """Return the deflated ratio of a track record that was chosen from ``trials``.

    Parameters
    ----------
    trials
        Number N of strategies, settings and versions that were tried, this one included.
    variance
        Variance V of their Sharpe ratios, per bar: a variance of annualised ratios, divided by bars a year.

    Raises
    ------
    ValueError
        There is not even one trial, the variance is negative, or it is that of annualised ratios (above 1 per bar).
    """
    if variance > 1.0:
        raise ValueError(
            f"variance has value {variance:g}: no Sharpe ratios per bar vary so much; divide the variance of "
            "annualised ratios by bars a year"
        )
    expected_best_sharpe(trials, variance)
    return DeflatedSharpe(record, trials, variance)

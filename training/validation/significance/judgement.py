"""Whether a track record could be luck, given everything that was tried: figures, and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from training.validation.significance.sentence import significance_sentence
from training.validation.significance.sharpe_tests import (
    DeflatedSharpe,
    TrackRecord,
    deflated_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
)


class Tried(NamedTuple):
    """Number of trials, and the annualised Sharpe ratios of those that have one."""

    trials: int
    sharpes: tuple[float, ...]

    def variance(self, bars: int, bars_per_year: float) -> float:
        """Return the variance of the trials' Sharpe ratios per bar.

        A trial without a known ratio, as one of a study of models, has the sampling variance of a strategy without
        skill, 1 / bars; so few known ratios that happen to be alike cannot hide that much was tried.
        """
        known = np.asarray(self.sharpes, np.float64) / np.sqrt(bars_per_year)
        if len(known) < 2:
            return 1.0 / bars
        unknown = max(self.trials - len(known), 0)
        squares = float(((known - known.mean()) ** 2).sum())
        return float((squares + unknown / bars) / (len(known) - 1 + unknown))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Tests of a Sharpe ratio.

    ``probabilistic`` is the probability of a true ratio above 0, ``deflated`` the same above the best of all trials
    without skill, and ``needed_bars`` the shortest record that shows a ratio above 0, with 95 % confidence.
    """

    probabilistic: float
    deflated: DeflatedSharpe
    needed_bars: float
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return the figures; a deflated ratio always has its number of trials with it."""
        return {
            "psr": self.probabilistic,
            "dsr": self.deflated.probability,
            "trials": self.deflated.trials,
            "variance": self.deflated.variance,
            "minimum_track_record_bars": self.needed_bars,
            "bars": self.deflated.record.bars,
            "sentence": self.sentence,
        }


def judge(returns: npt.ArrayLike, bars_per_year: float, tried: Tried) -> Judgement:
    """Judge the returns (T,) of a strategy that is one of all that were tried."""
    record = TrackRecord.of(returns)
    deflated = deflated_sharpe(record, max(tried.trials, 1), min(tried.variance(record.bars, bars_per_year), 1.0))
    return Judgement(
        probabilistic=probabilistic_sharpe(record),
        deflated=deflated,
        needed_bars=minimum_track_record(record),
        sentence=significance_sentence(deflated, bars_per_year),
    )

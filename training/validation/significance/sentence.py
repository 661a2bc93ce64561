"""The one sentence in plain words on whether a track record could be luck."""

from __future__ import annotations

import math

from training.metrics.money import check_bars_per_year
from training.validation.significance.sharpe_tests import DeflatedSharpe, minimum_track_record

CONFIDENCE = 0.95
_MOST_YEARS = 100.0


def significance_sentence(deflated: DeflatedSharpe, bars_per_year: float, confidence: float = CONFIDENCE) -> str:
    """Return what a deflated Sharpe ratio means, in words, with the annualised ratio and the number of trials.

    If luck would explain the record, the sentence also has the years that its ratio would need, if at most 100.

    Examples
    --------
    >>> from training.validation.significance.sharpe_tests import TrackRecord, deflated_sharpe
    >>> record = TrackRecord(sharpe=0.41 / 252**0.5, bars=2520)
    >>> significance_sentence(deflated_sharpe(record, trials=12, variance=0.0496 / 252), 252)
    'after 12 trials the Sharpe of 0.41 is not distinguishable from luck (DSR 0.55)'
    """
    record, trials = deflated.record, deflated.trials
    after = f"after {trials:g} trial{'s' * (trials != 1)}"
    if math.isnan(deflated.probability):
        return f"{after} there is no Sharpe ratio to judge: {record.bars} returns without enough variation"
    annual = record.sharpe * math.sqrt(check_bars_per_year(bars_per_year))
    figure = f"the Sharpe of {annual:.2f}"
    if deflated.probability >= confidence:
        # Rounding to 1.00 would promise certainty.
        return f"{after} {figure} is unlikely to be luck (DSR {min(deflated.probability, 0.99):.2f})"
    # Nor may a figure be rounded up to a confidence that was not reached.
    shown = min(round(deflated.probability, 2), math.ceil(confidence * 100.0 - 1e-9) / 100.0 - 0.01)
    years = minimum_track_record(record, deflated.benchmark, confidence) / bars_per_year
    rest = f"; at this ratio it would take {years:.1f} years" if years <= _MOST_YEARS else ""
    return f"{after} {figure} is not distinguishable from luck (DSR {shown:.2f}){rest}"

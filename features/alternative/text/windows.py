"""Features of scored texts by window of sessions: count, novelty, tone, disagreement and attention."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.alternative.text.changes import COUNT, FIRST_KNOWN, NOVEL, SCORED, SQUARE, TONE, WEIGHT, TextChanges

Float = npt.NDArray[np.float64]

WINDOWS = (1, 5, 20)
USUAL = 60  # sessions that attention is relative to
FEATURES = ("count", "novelty", "tone", "disagreement", "attention")
MAX_AGE_DAYS = 100.0
_QUIET = 0.1  # texts a session, added to both rates of attention
_EQUAL = 4e-9  # a variance below it is the rounding of equal scores
_DAY_NS = 86_400e9


def text_columns(prefix: str) -> tuple[str, ...]:
    """Return the names of the columns of :func:`text_features`, such as ``sentiment_news_tone_5``."""
    return (*(f"{prefix}_{feature}_{window}" for window in WINDOWS for feature in FEATURES), f"{prefix}_age")


def text_features(changes: TextChanges, closes: npt.NDArray[np.datetime64]) -> Float:
    """Return the features of each bar ``(T, 16)``, in the order of :func:`text_columns`.

    A window of w sessions has the texts that became known after the close w sessions before, and not after the bar's
    own. An edited text stays where it was first known, and has its new score from the edit on.

    - ``count`` is log(1 + number of texts),
    - ``novelty`` the share of them that are unlike the texts of the five days before,
    - ``tone`` their mean score, weighted by relevance,
    - ``disagreement`` the standard deviation of the scores; it needs two,
    - ``attention`` the logarithm of the texts a session over those of the last 60 sessions (0.1 added to both),
    - ``age`` the days since the newest text.

    Values are NaN where there is nothing to average, where a window begins before the first known text (whether the
    source covered those days is not known), and all are NaN where the newest text is older than 100 days (the source
    may have stopped).

    Parameters
    ----------
    changes
        What became known of one symbol's texts, or of the market's.
    closes
        When each bar is decided, datetime64[ns] (T,), ascending.
    """
    ends = closes.astype("datetime64[ns]").astype(np.int64)
    instants = changes.instants.astype("datetime64[ns]").astype(np.int64)
    if not len(instants):
        return np.full((len(ends), len(WINDOWS) * len(FEATURES) + 1), np.nan)
    usual = _sums(changes.values, instants, ends, USUAL)[:, COUNT] / USUAL
    covered = _starts(ends, USUAL) >= instants[0]
    columns: list[Float] = []
    for window in WINDOWS:
        sums = _sums(changes.values, instants, ends, window)
        known = _starts(ends, window) >= instants[0]
        count, weight = sums[:, COUNT].astype(float), sums[:, WEIGHT].astype(float)
        with np.errstate(all="ignore"):
            tone = sums[:, TONE] / weight  # both in multiples of 1/UNIT
            variance = sums[:, SQUARE] / weight - tone**2
            spread = np.sqrt(np.where(variance > _EQUAL, variance, 0.0))
            attention = np.log((count / window + _QUIET) / (usual + _QUIET))
            novelty = sums[:, NOVEL] / count
        columns += [
            np.where(known, np.log1p(count), np.nan),
            np.where(known & (count > 0), novelty, np.nan),
            np.where(known & (weight > 0), tone, np.nan),
            np.where(known & (weight > 0) & (sums[:, SCORED] > 1), spread, np.nan),
            np.where(known & covered, attention, np.nan),
        ]
    columns.append(_age(instants, ends))
    out = np.stack(columns, axis=1)
    out[~(out[:, -1] <= MAX_AGE_DAYS)] = np.nan
    return out


def _starts(ends: npt.NDArray[np.int64], window: int) -> npt.NDArray[np.int64]:
    """Return the close before each window; before the first bar nothing is known."""
    starts = np.full(len(ends), np.iinfo(np.int64).min)
    starts[window:] = ends[: max(len(ends) - window, 0)]
    return starts


def _sums(
    values: npt.NDArray[np.int64], instants: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], window: int
) -> npt.NDArray[np.int64]:
    """Return the sum of the changes of each window ``(T, 7)``: each counts from its instant until its text leaves."""
    begin = np.searchsorted(ends, instants, side="left")
    leave = np.searchsorted(_starts(ends, window), values[:, FIRST_KNOWN], side="left")
    out = np.zeros((len(ends) + 1, values.shape[1]), dtype=np.int64)
    inside = begin < leave
    np.add.at(out, begin[inside], values[inside])
    np.subtract.at(out, leave[inside], values[inside])
    out[:, FIRST_KNOWN] = 0
    return np.cumsum(out[:-1], axis=0)


def _age(instants: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Float:
    newest = np.searchsorted(instants, ends, side="right") - 1
    return np.where(newest >= 0, (ends - instants[np.maximum(newest, 0)]) / _DAY_NS, np.nan)

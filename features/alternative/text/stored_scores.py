"""Scores of stored texts: which are missing, and the tone of each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from configs.errors import DataError
from features.alternative.schemas import SCORES
from features.alternative.text.clean import text_digest
from features.alternative.text.scorer import Scorer
from features.store.alternative import AlternativeLake

_CHUNK = 2_048  # texts that are scored between two writes: an interrupted run loses at most these
_DECIMALS = 6  # rounding errors of a network between two batches are smaller


def missing_texts(lake: AlternativeLake, scorer: str, texts: Iterable[str]) -> dict[str, str]:
    """Return the texts without a score of this scorer by their digests, each once; empty texts need none."""
    known = set(lake.read("scores", scorer)["text_sha256"])
    found = {text_digest(text): text for text in texts if text.strip()}
    return {digest: text for digest, text in found.items() if digest not in known}


def score_stored(lake: AlternativeLake, scorer: Scorer, texts: Iterable[str], now: datetime) -> int:
    """Score the texts that have no score yet, in this process; return how many that were.

    Scores are written after every 2,048 texts, so a run that was interrupted continues where it stopped. A stored score
    is never replaced.

    Raises
    ------
    DataError
        ``now`` has no time zone, or the scorer returned a tone outside [−1, 1].
    StoreError
        The store cannot be written.
    """
    wanted = list(missing_texts(lake, scorer.name, texts).items())
    wanted.sort(key=lambda item: (len(item[1]), item[0]))
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        tones = scorer.score([text for _, text in chunk]).tone
        lake.append("scores", score_rows(scorer.name, [digest for digest, _ in chunk], tones, now))
    return len(wanted)


def score_rows(scorer: str, digests: Sequence[str], tones: npt.NDArray[np.float64], now: datetime) -> pa.Table:
    """Return rows of the table :data:`~features.alternative.schemas.SCORES`; tones are rounded to six decimals."""
    if now.tzinfo is None:
        raise DataError(f"the time of scoring {now.isoformat()} has no zone; expected an aware one. Use UTC.")
    if len(tones) and not np.abs(tones).max() <= 1.0:
        place = int((~(np.abs(tones) <= 1.0)).argmax())
        raise DataError(f"{scorer} gave text {digests[place][:12]} a tone of {tones[place]}; expected −1 to 1.")
    columns = [list(digests), [scorer] * len(digests), np.round(tones, _DECIMALS), [now] * len(digests)]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, SCORES, strict=True)], SCORES)


def stored_tones(frame: pd.DataFrame, scores: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the tone of each row ``(N,)``: the scorer's where there is one, else the source's own score, else NaN.

    Parameters
    ----------
    frame
        Rows of the table of texts: ``text`` and, if the source has them, ``score``.
    scores
        Rows of the table of scores, of one scorer.
    """
    by_digest = dict(zip(scores["text_sha256"], scores["score"], strict=True))
    own = frame["score"].astype(float).to_numpy() if "score" in frame else np.full(len(frame), np.nan)
    found = [by_digest.get(text_digest(text), np.nan) if text else np.nan for text in frame["text"]]
    return np.where(np.isnan(found), own, found).astype(np.float64)

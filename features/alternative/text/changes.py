"""Scored texts of one symbol as changes of sums: what each row added to what was known, when it became known.

An edit or a second version of a text is a further row with the difference to the version before. So the state at any
instant is a sum over the rows that were known by then, and no later row can change it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError
from features.alternative.text.novelty import novel_texts

UNIT = 10**9
"""Tones and weights are whole multiples of 1/UNIT: integer sums are exact and independent of their order."""
FIRST_KNOWN, COUNT, NOVEL, SCORED, WEIGHT, TONE, SQUARE = range(7)
"""The columns of ``TextChanges.values``."""


class TextChanges(NamedTuple):
    """Changes of what was known of one symbol's texts.

    Attributes
    ----------
    instants
        ``(n,)`` datetime64[ns], ascending: when each change became known.
    values
        ``(n, 7)`` int64: when the text was first known (ns since 1970), then the change of the number of texts, of
        novel ones and of scored ones, and in multiples of 1/``UNIT`` that of the sums of weights, of weight × tone and
        of weight × tone².
    """

    instants: npt.NDArray[np.datetime64]
    values: npt.NDArray[np.int64]


def text_changes(frame: pd.DataFrame, tone: npt.ArrayLike) -> TextChanges:
    """Return the changes of the rows of one symbol, in any order.

    A text is identified by ``source`` and ``id``. Of two rows of one text with the same ``known_from`` the first is
    used. The weight of a text is its ``relevance``, or 1 without one.

    Parameters
    ----------
    frame
        Rows of the table :data:`~features.alternative.schemas.TEXT`: ``id, source, known_from, text`` and, if there is
        one, ``relevance``.
    tone
        ``(N,)`` in [−1, 1] for each row of the frame; NaN for a text without a score.

    Raises
    ------
    DataError
        A tone is outside [−1, 1], their number differs from that of the rows, or a row has no publication time.
    """
    tones = _checked(frame, np.asarray(tone, dtype=np.float64))
    rows = frame.reset_index(drop=True).assign(tone=tones)
    rows = rows.drop_duplicates(["source", "id", "known_from"]).sort_values(
        ["known_from", "source", "id"], kind="stable", ignore_index=True
    )
    instants = rows["known_from"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ns]")
    weight = rows["relevance"].astype(float).fillna(1.0).clip(0.0, 1.0).to_numpy() if "relevance" in rows else 1.0
    found = rows["tone"].to_numpy()
    scored = np.isfinite(found)
    weights = np.where(scored, weight, 0.0)
    filled = np.where(scored, found, 0.0)
    values = np.zeros((len(rows), 7), dtype=np.int64)
    values[:, COUNT], values[:, SCORED] = 1, scored
    sums = (weights, weights * filled, weights * filled**2)
    for column, amounts in zip((WEIGHT, TONE, SQUARE), sums, strict=True):
        values[:, column] = np.rint(amounts * UNIT)
    texts = rows.groupby(["source", "id"], sort=False)
    is_first = texts.cumcount().to_numpy() == 0
    values[np.flatnonzero(is_first), NOVEL] = novel_texts(rows["text"][is_first].tolist(), instants[is_first])
    number = texts.ngroup().to_numpy()
    order = np.lexsort((np.arange(len(rows)), number))  # the versions of a text one after the other
    edited = ~is_first[order]
    before = np.roll(values[order], 1, axis=0)
    changes = values[order]
    changes[edited, COUNT:] -= before[edited, COUNT:]
    changes[edited, NOVEL] = 0
    out = np.empty_like(values)
    out[order] = changes
    first_known = np.zeros(len(rows), dtype=np.int64)
    first_known[number[is_first]] = instants[is_first].astype(np.int64)
    out[:, FIRST_KNOWN] = first_known[number]
    return TextChanges(instants, out)


def _checked(frame: pd.DataFrame, tones: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if tones.shape != (len(frame),):
        raise DataError(f"{tones.size:,} tones were given for {len(frame):,} texts; expected one for each row.")
    if frame["known_from"].isna().any():
        place = int(frame["known_from"].isna().to_numpy().argmax())
        raise DataError(f"text {frame['id'].iloc[place]!r} has no publication time. Leave it out, or add known_from.")
    wrong = np.abs(tones) > 1.0
    if wrong.any():
        place = int(wrong.argmax())
        raise DataError(
            f"text {frame['id'].iloc[place]!r} has a tone of {tones[place]:g}; expected −1 to 1. "
            "Divide the scores of the source by their largest possible value."
        )
    return tones

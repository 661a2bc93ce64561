"""Rarer notations of dates, rewritten in the common ones of :mod:`features.bars.reading.spelled_dates`."""

from __future__ import annotations

import re

import pandas as pd

_REWRITTEN = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"^[\"'\u2018\u2019=]+|[\"'\u2018\u2019]+$", ""),  # quoted, or marked as text
        (r"\s*(?:Uhr|uur|h)$", ""),
        (r"^(\d{4})\s?년\s?(\d{1,2})\s?월\s?(\d{1,2})\s?일", r"\1-\2-\3"),
        (r"^(\d{4})_(\d{1,2})_(\d{1,2})", r"\1-\2-\3"),
        (r"^(\d{1,2})[_ ](\d{1,2})[_ ](\d{4})\b", r"\1/\2/\3"),
        (r"^(\d{4}[-.]\d{2}[-.]\d{2})D(?=\d\d:)", r"\1 "),  # kdb+
        (r"^(\d{4}-\d{2}-\d{2})-(\d{2})-(\d{2})-(\d{2})$", r"\1 \2:\3:\4"),
        (r"^[^\W\d]{2,}\.?,?\s+(?=\d{1,4}[-/.]\d)", ""),  # a weekday before digits
        (r"^[^\W\d]{2,}\s+([^\W\d]{3,})\s+(\d{1,2})\s+(\d{1,2}:\d{2}(?::\d{2})?)\s+(\d{4})$", r"\1 \2 \4 \3"),  # C
    )
)
_JSON = re.compile(r"^\\?/Date\((-?\d+)(?:[+-]\d{4})?\)\\?/$")


def common_notation(text: pd.Series) -> pd.Series:
    """Return texts with the rarer notations of dates rewritten; other texts are unchanged."""
    for pattern, new in _REWRITTEN:
        text = text.str.replace(pattern, new, regex=True)
    return text


def without_json_dates(text: pd.Series) -> pd.Series:
    """Return texts with ``/Date(1641168000000)/`` replaced by its milliseconds."""
    return text.str.replace(_JSON, r"\1", regex=True) if text.str.contains("/Date(", regex=False).any() else text

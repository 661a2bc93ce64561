"""Rows of texts and of option chains from a user's frame."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import DataError, shortened
from features.alternative.checks import (
    ReadingOptions,
    TableRows,
    as_rows,
    check_names,
    check_times,
    days,
    instants,
    need,
    numbers,
    optional_instants,
    texts,
)
from features.alternative.quarantine import Checked

KINDS = ("news", "social", "filing", "fed")
_SEPARATORS = re.compile(r"[,;|]")
_RIGHTS = {"c": "call", "call": "call", "calls": "call", "p": "put", "put": "put", "puts": "put"}


def read_text(frame: pd.DataFrame, options: ReadingOptions) -> TableRows:
    """Return rows of ``text`` from ``published_at`` with ``text`` and/or ``score``.

    Optional are ``symbol`` (empty for the market; of several, as a list or separated by commas, each has a row), ``id,
    source, kind, updated_at, retrieved_at`` and ``relevance``. An edit has the ``id`` of the original and a later
    ``updated_at``, and counts from then on. Without ``id`` it is a digest of the publication time and the text.

    Raises
    ------
    DataError
        A column is missing, or a kind is unknown.
    """
    need(frame, ("published_at",), "texts")
    if not {"text", "score"}.intersection(frame.columns):
        raise DataError("the texts have neither a column text nor score; expected at least one. Rename the columns.")
    frame = _by_symbol(frame)
    checked = Checked("text", frame, options.source)
    published = instants(frame, "published_at", options)
    updated = optional_instants(frame, "updated_at", options, checked)
    known_from = np.where(np.isnat(updated), published, np.maximum(published, updated))
    check_times(checked, known_from, options)
    text, symbol = texts(frame, "text"), texts(frame, "symbol")
    check_names(checked, symbol, empty_allowed=True)
    kind = np.array([one.lower() for one in texts(frame, "kind", "news")], object)
    if unknown := sorted(set(kind.tolist()).difference(KINDS)):
        raise DataError(f"the column kind has {shortened(unknown)}; expected {', '.join(KINDS)}. Correct the file.")
    score, relevance = numbers(frame, "score"), numbers(frame, "relevance")
    checked.refuse((text == "") & np.isnan(score), "no_text")
    checked.refuse((np.abs(score) > 1.0) | (relevance < 0.0) | (relevance > 1.0), "score_out_of_range")
    given = texts(frame, "id")
    keys = [f"{at} {one}".encode(errors="replace") for at, one in zip(published, text, strict=True)]
    digests = [hashlib.sha256(key).hexdigest()[:32] for key in keys]
    columns = {
        "symbol": symbol,
        "id": np.where(given == "", np.array(digests, object), given),
        "published_at": published,
        "known_from": known_from,
        "kind": kind,
        "text": text,
        "score": score,
        "relevance": relevance,
        "source": texts(frame, "source", options.source),
        "retrieved_at": instants(frame, "retrieved_at", options),
    }
    return as_rows("text", columns, checked)


def _by_symbol(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each symbol of a text; a text of none is the market's."""
    if "symbol" not in frame.columns:
        return frame
    cells = frame["symbol"].map(_symbols_of)
    return frame.assign(symbol=cells).explode("symbol", ignore_index=True)


def _symbols_of(cell: Any) -> list[str]:
    if pd.api.types.is_scalar(cell):
        cell = [] if pd.isna(cell) else _SEPARATORS.split(str(cell).strip("[] "))
    found = [str(part).strip(" '\"") for part in cell if part is not None]
    return list(dict.fromkeys(found)) or [""]


def read_chain(frame: pd.DataFrame, options: ReadingOptions) -> TableRows:
    """Return rows of ``options`` from ``symbol, quoted_at, expiry, strike, right`` and any of the quote's figures.

    Raises
    ------
    DataError
        A column is missing.
    """
    need(frame, ("symbol", "quoted_at", "expiry", "strike", "right"), "option quotes")
    checked = Checked("options", frame, options.source)
    quoted, published = instants(frame, "quoted_at", options), optional_instants(frame, "known_from", options, checked)
    known_from = np.where(np.isnat(published), quoted, published)
    quoted = np.minimum(quoted, known_from)  # a day counts from its end, and may have been published before
    expiry, strike, symbol = days(frame, "expiry", options), numbers(frame, "strike"), texts(frame, "symbol")
    if "underlying_symbol" in frame.columns:  # then ``symbol`` names the contract
        symbol = texts(frame, "underlying_symbol")
    right = np.array([_RIGHTS.get(one.lower(), "") for one in texts(frame, "right")], object)
    figures = {name: numbers(frame, name) for name in ("bid", "ask", "volume", "open_interest", "iv", "underlying")}
    check_times(checked, known_from, options)
    check_names(checked, symbol)
    checked.refuse(np.isnat(quoted), "unreadable_period")
    checked.refuse(np.isnat(expiry) | ~(strike > 0.0) | np.isinf(strike) | (right == ""), "unusable_quote")
    checked.refuse(np.any([(values < 0.0) | np.isinf(values) for values in figures.values()], axis=0), "unusable_quote")
    columns = {
        "symbol": symbol,
        "quoted_at": quoted,
        "known_from": known_from,
        "expiry": expiry.astype("datetime64[D]"),
        "strike": strike,
        "right": right,
        **figures,
        "source": texts(frame, "source", options.source),
        "retrieved_at": instants(frame, "retrieved_at", options),
    }
    return as_rows("options", columns, checked)

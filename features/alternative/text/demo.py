"""Synthetic headlines for the embedded demo: they exercise the text path without a network and predict nothing.

Days, companies and wording are drawn independently of prices from a fixed seed. A model that gains from them overfits.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.alternative.schemas import TEXT

NAMES = {"AAPL": "Apple", "GOOG": "Google", "IBM": "IBM", "MSFT": "Microsoft"}
"""Companies of the embedded bars that have headlines."""
SOURCE = "synthetic"
_FIRST, _LAST = "2000-01-03", "2013-02-28"
_A_DAY = 0.24  # headlines of a company
_EDITED, _REPEATED = 0.1, 0.15  # shares that are edited an hour later, and that another item repeats
_STATEMENT_DAYS = 30  # business days between statements of the central bank
_HOUR = np.timedelta64(3_600_000_000_000, "ns")


def demo_headlines(seed: int = 0) -> pa.Table:
    """Return synthetic rows of the table ``text`` (:data:`~features.alternative.schemas.TEXT`), source ``synthetic``.

    About 60 headlines a company and year from 2000 to February 2013, some of them edited or repeated, and statements of
    a central bank for the whole market. Equal seeds give equal rows.
    """
    wording = tomllib.loads(files("features.alternative.text").joinpath("demo_headlines.toml").read_text("utf-8"))
    rng = np.random.default_rng(seed)
    days = np.arange(_FIRST, _LAST, dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    rows: list[dict[str, Any]] = []
    headlines = [text for tone in ("positive", "negative", "neutral") for text in wording[tone]]
    for symbol, name in NAMES.items():
        for day in days[rng.random(len(days)) < _A_DAY]:
            text = headlines[rng.integers(len(headlines))].format(name=name)
            rows += _item(rng, day, symbol, text, "news", len(rows))
    statements = [text for texts in wording["fed"].values() for text in texts]
    for day in days[::_STATEMENT_DAYS]:
        rows += _item(rng, day, "", statements[rng.integers(len(statements))], "fed", len(rows))
    frame = pd.DataFrame(rows).sort_values(["known_from", "symbol", "id"], kind="stable", ignore_index=True)
    return pa.Table.from_pylist(frame.to_dict("records"), schema=TEXT)


def _item(
    rng: np.random.Generator, day: np.datetime64, symbol: str, text: str, kind: str, number: int
) -> list[dict[str, Any]]:
    """Return one text, and its edit or its repetition if it has one."""
    at = day.astype("datetime64[ns]") + rng.integers(11 * 60, 23 * 60) * (_HOUR // 60)
    row = {
        "symbol": symbol,
        "id": f"demo-{number:05d}",
        "published_at": pd.Timestamp(at, tz="UTC"),
        "known_from": pd.Timestamp(at, tz="UTC"),
        "kind": kind,
        "text": text,
        "source": SOURCE,
    }
    later = pd.Timestamp(at + _HOUR, tz="UTC")
    chance = rng.random()
    if chance < _EDITED:
        return [row, {**row, "known_from": later, "text": f"{text} (corrected)"}]
    if chance < _EDITED + _REPEATED:
        return [row, {**row, "id": f"{row['id']}-copy", "published_at": later, "known_from": later}]
    return [row]

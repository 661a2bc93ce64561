"""Loading the alternative data of a run from the lake."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.data import DataConfig, FeatureConfig
from features.alternative.groups import group_of
from features.alternative.known import MARKET, KnownData
from features.alternative.text.lexicon import LexiconScorer, PolicyScorer
from features.alternative.text.stored_scores import stored_tones
from features.store.alternative import AlternativeLake
from features.store.option_figures import OptionFigures
from features.store.store import Store


def load_known(store: Store, features: FeatureConfig, data: DataConfig) -> KnownData | None:
    """Return the alternative data that the features use; ``None`` if they use none.

    Symbols of the market and of ``data.symbols`` (all by default) are read; groups in ``features.without`` are not.
    ``data.context.kinds`` says how series become scale-free whose names do not.
    """
    if not (features.use_alternative_data or features.use_sentiment):
        return None
    lake = AlternativeLake(store)
    series = events = texts = None
    if features.use_sentiment and "sentiment" not in features.without:
        texts = _rows(lake, "text", data.symbols)
        texts["tone"] = tones(lake, texts, features.sentiment_scorer)
    if features.use_alternative_data:
        series = _rows(lake, "series", data.symbols)
        if "options" not in features.without:
            series = OptionFigures(lake).features(series, data.symbols)
        left_out = [name for name in series["series"].unique() if group_of(name) in features.without]
        series = series[~series["series"].isin(left_out)] if left_out else series
        events = None if "events" in features.without else _rows(lake, "events", data.symbols)
    return KnownData.from_frames(series, events, dict(data.context.kinds), texts)


def has_rows(store: Store, features: FeatureConfig) -> bool:
    """Return whether the lake has any rows of the tables that these features use, also of groups that are left out."""
    lake = AlternativeLake(store)
    tables = [*(["series", "events"] * features.use_alternative_data), *(["text"] * features.use_sentiment)]
    if any(lake.parts(table) for table in tables):
        return True
    return features.use_alternative_data and not OptionFigures(lake).features(lake.read("series", MARKET)).empty


def tones(lake: AlternativeLake, texts: pd.DataFrame, scorer: str | None) -> npt.NDArray[np.float64]:
    """Return the tone of each text (N,) by the stored scores of a scorer, or by the embedded lexicon.

    The lexicon has a list of its own for statements of central banks (kind ``fed``). Its scores are computed each time,
    about 10,000 texts a second.
    """
    if scorer is not None:
        return stored_tones(texts, lake.read("scores", scorer))
    out = texts["score"].to_numpy(np.float64, copy=True)
    is_fed = (texts["kind"] == "fed").to_numpy()
    has_text = (texts["text"].str.strip() != "").to_numpy()
    for rows, words in ((has_text & ~is_fed, LexiconScorer()), (has_text & is_fed, PolicyScorer())):
        if rows.any():
            out[rows] = words.score(texts["text"][rows].tolist()).tone
    return out


def alternative_stamp(store: Store, features: FeatureConfig) -> str:
    """Return a text that changes with the alternative data that these features use; empty if they use none."""
    return AlternativeLake(store).stamp() if features.use_alternative_data or features.use_sentiment else ""


def _rows(lake: AlternativeLake, table: str, symbols: tuple[str, ...]) -> pd.DataFrame:
    if not symbols:
        return lake.read_all(table)
    return pd.concat([lake.read(table, part) for part in (MARKET, *symbols)], ignore_index=True)

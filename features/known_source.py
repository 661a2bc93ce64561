"""Loading the alternative data of a run from the lake."""

from __future__ import annotations

import pandas as pd

from configs.data import DataConfig, FeatureConfig
from features.alternative.groups import group_of
from features.alternative.known import MARKET, KnownData
from features.store.alternative import AlternativeLake
from features.store.store import Store


def load_known(store: Store, features: FeatureConfig, data: DataConfig) -> KnownData | None:
    """Return the alternative data that the features use; ``None`` if they use none.

    Symbols of the market and of ``data.symbols`` (all by default) are read; groups in ``features.without`` are not.
    ``data.context.kinds`` says how series become scale-free whose names do not.
    """
    if not (features.use_alternative_data or features.use_sentiment):
        return None
    lake = AlternativeLake(store)
    series = events = None
    if features.use_alternative_data:
        series = _rows(lake, "series", data.symbols)
        groups = series["series"].map(group_of)
        series = series[~groups.isin(features.without).to_numpy(bool)]
        events = None if "events" in features.without else _rows(lake, "events", data.symbols)
    return KnownData.from_frames(series, events, dict(data.context.kinds))


def alternative_stamp(store: Store, features: FeatureConfig) -> str:
    """Return a text that changes with the alternative data that these features use; empty if they use none."""
    return AlternativeLake(store).stamp() if features.use_alternative_data or features.use_sentiment else ""


def _rows(lake: AlternativeLake, table: str, symbols: tuple[str, ...]) -> pd.DataFrame:
    if not symbols:
        return lake.read_all(table)
    return pd.concat([lake.read(table, part) for part in (MARKET, *symbols)], ignore_index=True)

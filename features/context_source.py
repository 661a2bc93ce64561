"""Loading the market series of a run from a file, the embedded data or the lake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa

from configs.data import ContextConfig
from configs.errors import DataError, FleetcastError
from configs.schema import Config
from features.alternative.known import MARKET, KnownData
from features.context import MarketContext
from features.known_source import has_rows, load_known
from features.sources.base import Source
from features.sources.table_file import find, is_remote
from features.store.alternative import AlternativeLake
from features.store.lake import Lake
from features.store.parquet import read_parquet, to_frame
from features.store.store import Store


class MissingSeriesError(DataError):
    """The lake has no market series."""


def load_context(source: Source, config: Config, store: Store) -> MarketContext | None:
    """Return the configured market series and alternative data; ``None`` without any.

    Market series are those of their file, the embedded data or the lake, alternative data those of the lake.

    Raises
    ------
    DataError
        The file cannot be read, or a configured series has no values; :class:`MissingSeriesError` if the lake has none.
    """
    known = load_known(store, config.features, config.data)
    if known is not None and not known.columns and not has_rows(store, config.features):
        raise MissingSeriesError(
            "features.use_alternative_data or features.use_sentiment is on, but the lake has no such data. Import "
            "them: fleetcast data import --kind macro FILE."
        )
    return _joined(_market_series(source, config, store), known)


def _joined(context: MarketContext | None, known: KnownData | None) -> MarketContext | None:
    if known is None:
        return context
    return replace(context or MarketContext((), ()), alternative=known)


def _market_series(source: Source, config: Config, store: Store) -> MarketContext | None:
    wanted = config.data.context
    if not wanted.kinds:
        return None
    if wanted.path is not None:
        try:
            read = _read_parquet if wanted.path.endswith(".parquet") else pd.read_csv
            if is_remote(wanted.path):
                (file,) = find(wanted.path)
                with file.open() as content:
                    frame = read(content)
            else:
                frame = read(wanted.path)
        except (OSError, ValueError, FleetcastError) as error:
            raise DataError(
                f"data.context.path {wanted.path!r} cannot be read ({error}). Give a CSV or Parquet file with the "
                "columns date, series and value."
            ) from error
    elif source.name == "embedded":
        from features.sources.embedded import embedded_context

        frame = embedded_context()
    else:
        stored = _stored_series(store)
        if stored is None:
            raise MissingSeriesError(
                f"data.context.kinds names {', '.join(wanted.kinds)}, but the lake has no market series. "
                "Give data.context.path, or drop data.context.kinds."
            )
        frame = stored
    return MarketContext.from_frame(frame, wanted)


def available_context(source: Source, config: Config, store: Store) -> MarketContext | None:
    """Return the series to forecast with; as :func:`load_context`, but a lake without any is no error.

    A model of the embedded prices was trained with embedded series, which then serve bars of any source. Other series
    have no value, so that their features are missing.
    """
    known = load_known(store, config.features, config.data)
    try:
        found = _market_series(source, config, store)
    except MissingSeriesError:
        if config.data.bars != "embedded":
            found = MarketContext.unknown(config.data.context)
        else:
            from features.sources.embedded import EmbeddedSource

            found = _market_series(EmbeddedSource(), config, store)
    return _joined(found, known)


def context_stamp(store: Store, context: ContextConfig, *, is_lake: bool) -> str:
    """Return a text that changes with the market series; ``is_lake`` is whether the bars are those of the lake."""
    if context.path is None:
        return f"{Lake(store).context_stamp()} {AlternativeLake(store).stamp()}" if is_lake else ""
    try:
        return " ".join(f"{file} {file.size} {file.stamp}" for file in find(context.path))
    except DataError:
        return f"{context.path} is missing"


def _stored_series(store: Store) -> pd.DataFrame | None:
    """Return the lake's market series: those with publication times, and those of older versions without."""
    rows = AlternativeLake(store).read("series", MARKET).rename(columns={"period": "date"})
    old = Lake(store).read_context()
    if old is None:
        return rows if len(rows) else None
    old = old[~old["series"].isin(rows["series"])]
    return pd.concat([rows, old], ignore_index=True) if len(rows) else old


def _read_parquet(source: Any) -> pd.DataFrame:
    try:
        return to_frame(read_parquet(source))
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error

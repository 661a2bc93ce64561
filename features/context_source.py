"""Loading the market series of a run from a file, the embedded data or the lake."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from configs.errors import DataError, FleetcastError
from configs.schema import Config
from features.context import MarketContext
from features.sources.base import Source
from features.sources.table_file import find, is_remote
from features.store.lake import Lake
from features.store.parquet import read_parquet, to_frame
from features.store.store import Store


def load_context(source: Source, config: Config, store: Store) -> MarketContext | None:
    """Return the configured market series from their file, the embedded data or the lake; ``None`` without any.

    Raises
    ------
    DataError
        The file cannot be read, or a configured series has no values.
    """
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
        stored = Lake(store).read_context()
        if stored is None:
            raise DataError(
                f"data.context.kinds names {', '.join(wanted.kinds)}, but the lake has no market series. "
                "Give data.context.path, or drop data.context.kinds."
            )
        frame = stored
    return MarketContext.from_frame(frame, wanted)


def _read_parquet(source: Any) -> pd.DataFrame:
    try:
        return to_frame(read_parquet(source))
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error

"""How a frame of features remembers what it was made of, and whether its rows are still the ones that were made.

The facts travel in ``DataFrame.attrs``, which slices of rows keep. They are JSON, so that the frame can be stored.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from configs.data import FeatureConfig
from configs.models import LabelConfig
from features.universe import UniverseFacts

if TYPE_CHECKING:
    import pandas as pd

_KEY = "fleetcast"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where features come from: the ``symbol``, the settings, and whether the rows are unchanged since.

    ``universe`` describes the universe of the cross-asset features; None if there are none, or it is not known.
    """

    symbol: str
    config: FeatureConfig
    unchanged: bool
    universe: UniverseFacts | None


def mark_features(features: pd.DataFrame, symbol: str, config: FeatureConfig, universe: UniverseFacts | None) -> None:
    """Note the origin of features in the frame itself."""
    features.attrs[_KEY] = {
        "symbol": symbol,
        "config": config.model_dump(mode="json"),
        "universe": None if universe is None else asdict(universe),
        "rows": _digests(features).tobytes().hex(),
    }


def origin_of(features: pd.DataFrame) -> Origin | None:
    """Return the origin of features; None if the frame does not know it."""
    found = features.attrs.get(_KEY)
    if not isinstance(found, dict) or "rows" not in found:
        return None
    made = np.frombuffer(bytes.fromhex(found["rows"]), np.uint64)
    unchanged = bool(np.isin(_digests(features), made).all())
    universe = UniverseFacts(**facts) if (facts := found.get("universe")) else None
    return Origin(found["symbol"], FeatureConfig.model_validate(found["config"]), unchanged, universe)


def mark_target(target: pd.Series, horizon: int, label: LabelConfig) -> None:
    """Note the horizon of labels, and what counts as sideways, in the series itself."""
    target.attrs[_KEY] = {"horizon": horizon, "label": label.model_dump(mode="json")}


def horizon_of(target: object) -> int | None:
    """Return the horizon of labels in bars; None if the series does not know it."""
    found = getattr(target, "attrs", {}).get(_KEY)
    return found.get("horizon") if isinstance(found, dict) else None


def label_of(target: object) -> LabelConfig | None:
    """Return what counts as sideways in labels; None if the series does not know it."""
    found = getattr(target, "attrs", {}).get(_KEY)
    return LabelConfig.model_validate(found["label"]) if isinstance(found, dict) and "label" in found else None


def _digests(features: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return a number per row that depends on its date, its values and the columns' names."""
    import pandas as pd

    names = np.uint64(pd.util.hash_array(np.array(["|".join(map(str, features.columns))], dtype=object))[0])
    rows = pd.util.hash_pandas_object(features, index=True).to_numpy(np.uint64)
    return np.asarray(rows ^ names)

"""From bars to features: one symbol for a person, a panel for training and serving, by the same code."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from configs.data import FeatureConfig
from configs.errors import DataError
from configs.models import LabelConfig
from features.bars.schema import SymbolBars, bars_from_frame
from features.context import MarketContext
from features.feature_plan import FeaturePlan, plan_features
from features.labels import bar_variance, direction_labels, ewma_volatility
from features.panel import Panel
from features.universe import UniverseTable

if TYPE_CHECKING:
    import pandas as pd


class EngineeredFeatures(NamedTuple):
    """One symbol's features and what they are to predict; unpacks as ``features, target, names``.

    ``features`` has float32 columns ``names`` indexed by date, NaN during warm-up; ``target`` holds the class of the
    forward return: 0 down, 1 sideways, 2 up, −1 unknown (the last ``horizon`` bars).
    """

    features: pd.DataFrame
    target: pd.Series
    names: list[str]


class FeatureEngineer:
    """Builds the configured features of one symbol.

    Example:
        >>> import pandas as pd
        >>> close = pd.Series(range(100, 400), pd.bdate_range("2020-01-01", periods=300, name="Date"), dtype=float)
        >>> features, target, names = FeatureEngineer().engineer_features(close.to_frame("Close"))
        >>> len(features) == len(target) == 300
        True
    """

    def __init__(self, config: FeatureConfig | None = None) -> None:
        self.config = config or FeatureConfig()

    def engineer_features(
        self,
        bars: pd.DataFrame | SymbolBars,
        *,
        horizon: int = 1,
        label: LabelConfig | None = None,
        universe: UniverseTable | None = None,
        context: MarketContext | None = None,
    ) -> EngineeredFeatures:
        """Return the features, direction labels and column names of one symbol.

        Parameters
        ----------
        bars
            A frame as yfinance returns it, any frame with the usual column names, or validated bars.
        horizon
            Bars ahead that the target looks.
        label
            When a forward return counts as sideways.
        universe, context
            What the cross-asset and market-context features are computed from; without them these are left out.

        Raises
        ------
        DataError
            The frame cannot be read, or holds more than one symbol.

        Warns
        -----
        UserWarning
            Rows break a rule of :mod:`features.bars.validation` and are left out.
        """
        import pandas as pd

        one = bars if isinstance(bars, SymbolBars) else _only_symbol(bars)
        panel = build_panel([one], self.config, universe, context, label)
        index = pd.DatetimeIndex(panel.dates, name="date")
        target = direction_labels(panel.close, panel.ewma_vol, horizon, label or LabelConfig())
        return EngineeredFeatures(
            pd.DataFrame(panel.features, index=index, columns=list(panel.feature_names)),
            pd.Series(target, index=index, name="direction"),
            list(panel.feature_names),
        )


def build_panel(
    bars: Sequence[SymbolBars],
    config: FeatureConfig | None = None,
    universe: UniverseTable | None = None,
    context: MarketContext | None = None,
    label: LabelConfig | None = None,
    *,
    columns: Sequence[str] | None = None,
) -> Panel:
    """Return the panel of these symbols, in this order.

    A symbol's rows depend on its own bars, ``universe`` and ``context`` only, never on the other symbols given here;
    a column that needs what it lacks is all NaN. The set of columns does depend on whether any symbol here has a
    range or volume: when the symbols are a block of a larger universe, pass ``columns`` (see :func:`feature_names`).

    Raises
    ------
    ConfigError, DataError
        As :func:`features.feature_plan.plan_features` does.
    """
    plan = plan_features(
        config or FeatureConfig(),
        universe=universe,
        context=context,
        has_range=any(b.has_range for b in bars),
        has_volume=any(b.has_volume for b in bars),
        columns=columns,
    )
    return fill_panel(plan, bars, label or LabelConfig())


def feature_names(
    config: FeatureConfig | None = None,
    universe: UniverseTable | None = None,
    context: MarketContext | None = None,
    *,
    has_range: bool = True,
    has_volume: bool = True,
) -> tuple[str, ...]:
    """Return the columns that a whole universe's data allow, to give to every block's :func:`build_panel`."""
    return plan_features(
        config or FeatureConfig(), universe=universe, context=context, has_range=has_range, has_volume=has_volume
    ).names


def fill_panel(plan: FeaturePlan, bars: Sequence[SymbolBars], label: LabelConfig) -> Panel:
    """Return the panel of a plan; its arrays are allocated once, so the peak is the panel and one symbol's columns."""
    offsets = np.concatenate([[0], np.cumsum([len(b) for b in bars])]).astype(np.int64)
    rows = int(offsets[-1])
    panel = Panel(
        symbols=tuple(b.symbol for b in bars),
        feature_names=plan.names,
        offsets=offsets,
        dates=np.empty(rows, "datetime64[ns]"),
        features=np.empty((rows, len(plan.names)), np.float32),
        close=np.empty(rows),
        variance=np.empty(rows),
        ewma_vol=np.empty(rows),
        warmup=plan.warmup,
        universe=plan.universe.facts if plan.universe is not None else None,
    )
    for i, one in enumerate(bars):
        part = panel.rows(i)
        panel.dates[part] = one.dates
        panel.close[part] = one.close
        panel.variance[part] = bar_variance(one)
        panel.ewma_vol[part] = ewma_volatility(panel.variance[part], label.ewma_lambda)
        plan.compute(one, panel.features[part])
    return panel


def _only_symbol(frame: pd.DataFrame) -> SymbolBars:
    found, quarantine = bars_from_frame(frame, "SYMBOL")
    if len(found) != 1:
        names = ", ".join(b.symbol for b in found[:5])
        raise DataError(
            f"the frame holds {len(found)} symbols ({names}); expected one. Select one, or use build_panel."
        )
    if quarantine.lost():
        lost = sum(quarantine.lost().values())
        warnings.warn(f"{lost} rows break a rule and are left out ({quarantine.told()})", stacklevel=3)
    return found[0]

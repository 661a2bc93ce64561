"""From bars to features: a data frame of one symbol, or a panel of many for training and serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from configs.data import FeatureConfig
from configs.errors import ConfigError, DataError, require
from configs.models import LabelConfig
from features.any_bars import AnyBars
from features.bars.mending import OnSteps
from features.bars.period import bar_period
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.engineered import mark_features, mark_target
from features.feature_plan import FeaturePlan, plan_features
from features.inputs import Inputs
from features.labels import bar_variance, direction_labels, ewma_volatility
from features.panel import Float32, Panel
from features.universe import UniverseTable
from features.usable_bars import usable_bars

if TYPE_CHECKING:
    import pandas as pd


class EngineeredFeatures(NamedTuple):
    """One symbol's features and labels; unpacks as ``features, target, names``.

    ``features`` has float32 columns ``names`` indexed by date, NaN during warm-up; ``target`` holds the class of the
    forward return: 0 down, 1 sideways, 2 up, −1 unknown (the last ``horizon`` bars).
    """

    features: pd.DataFrame
    target: pd.Series
    names: list[str]


class FeatureEngineer:
    """Computes the configured features of one symbol.

    Example:
        >>> import pandas as pd
        >>> close = pd.Series(range(100, 400), pd.bdate_range("2020-01-01", periods=300, name="Date"), dtype=float)
        >>> features, target, names = FeatureEngineer().engineer_features(close.to_frame("Close"))
        >>> len(features) == len(target) == 300
        True
    """

    def __init__(self, config: FeatureConfig | None = None) -> None:
        require(config, (FeatureConfig, type(None)), "config", "a FeatureConfig, such as load_config().features")
        self.config = config or FeatureConfig()

    def engineer_features(
        self,
        bars: AnyBars,
        *,
        symbol: str | None = None,
        horizon: int = 1,
        label: LabelConfig | None = None,
        universe: UniverseTable | None = None,
        context: MarketContext | None = None,
        on_steps: OnSteps = "quarantine",
    ) -> EngineeredFeatures:
        """Return the features, direction labels and column names of one symbol.

        Parameters
        ----------
        bars
            A frame as returned by yfinance, any frame with the usual column names, a path, or validated bars.
        symbol
            The name of bars that name none.
        horizon
            Bars from a row to the end of its forward return.
        label
            The band of forward returns that is labelled sideways.
        universe, context
            The inputs of the cross-asset and of the context features, which are omitted without them.
        on_steps
            What is done about steps and spikes of prices; see ``data.on_steps``.

        Raises
        ------
        DataError
            The frame cannot be read, or has more than one symbol.

        Warns
        -----
        UserWarning
            Rows break a rule of :mod:`features.bars.quarantine` and are left out, or prices step.
        """
        import pandas as pd

        require(horizon, int, "horizon", "a number of bars, at least 1")
        require(label, (LabelConfig, type(None)), "label", "a LabelConfig")
        require(universe, (UniverseTable, type(None)), "universe", "a table of build_universe")
        require(context, (MarketContext, type(None)), "context", "a MarketContext: MarketContext.from_frame makes one")
        if horizon < 1:
            raise ConfigError(f"horizon has value {horizon!r}; expected a number of bars, at least 1.")
        symbol_bars = _only_symbol(bars, symbol, on_steps)
        panel = build_panel([symbol_bars], self.config, universe, context, label)
        index = pd.DatetimeIndex(panel.dates, name="date")
        label = label or LabelConfig()
        classes = direction_labels(panel.close, panel.ewma_vol, horizon, label)
        features = pd.DataFrame(panel.features, index=index, columns=list(panel.feature_names))
        target = pd.Series(classes, index=index, name="direction")
        mark_features(features, symbol_bars.symbol, self.config, panel.universe)
        mark_target(target, horizon, label)
        return EngineeredFeatures(features, target, list(panel.feature_names))


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

    A symbol's rows depend on its own bars, ``universe`` and ``context`` only, not on the other symbols. Columns that
    need a range or volume are NaN for symbols without them, and are omitted if no symbol here has them: for a block of
    a larger universe pass ``columns`` (see :func:`feature_names`).

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


def newest_features(
    bars: Sequence[SymbolBars],
    rows: int,
    config: FeatureConfig,
    universe: UniverseTable | None,
    context: MarketContext | None,
    label: LabelConfig,
    columns: Sequence[str],
) -> tuple[Float32, Panel]:
    """Return the newest rows of a panel's features (S, rows, F), NaN before a symbol's first, and a panel without any.

    Numbers are those of :func:`build_panel`; most are computed from the newest bars only, for all symbols together,
    which takes 20 % of the time.
    """
    plan = plan_features(config, universe=universe, context=context, columns=columns)
    panel = _panel_of(plan, bars, 0)
    out = np.empty((len(bars), rows, len(plan.names)), np.float32)
    inputs = [Inputs(symbol_bars, plan.layout, plan.universe, plan.context) for symbol_bars in bars]
    for i, one in enumerate(inputs):
        panel.variance[panel.rows(i)] = one.variance
        panel.ewma_vol[panel.rows(i)] = one.ewma(label.ewma_lambda)
    plan.compute_newest(inputs, out)
    return out, replace(panel, feature_names=(), market_wide={})


def feature_names(
    config: FeatureConfig | None = None,
    universe: UniverseTable | None = None,
    context: MarketContext | None = None,
    *,
    has_range: bool = True,
    has_volume: bool = True,
) -> tuple[str, ...]:
    """Return the feature columns of a universe, to pass to :func:`build_panel` for each of its blocks."""
    return plan_features(
        config or FeatureConfig(), universe=universe, context=context, has_range=has_range, has_volume=has_volume
    ).names


def fill_panel(plan: FeaturePlan, bars: Sequence[SymbolBars], label: LabelConfig) -> Panel:
    """Return the panel of a plan. Arrays are allocated once: peak memory is the panel and one symbol's columns."""
    panel = _panel_of(plan, bars, len(plan.names))
    for i, symbol_bars in enumerate(bars):
        rows = panel.rows(i)
        panel.variance[rows] = bar_variance(symbol_bars)
        panel.ewma_vol[rows] = ewma_volatility(panel.variance[rows], label.ewma_lambda)
        plan.compute(symbol_bars, panel.features[rows])
    return panel


def _panel_of(plan: FeaturePlan, bars: Sequence[SymbolBars], width: int) -> Panel:
    """Return a panel with the dates and closes of these bars, and room for the rest and ``width`` features."""
    offsets = np.concatenate([[0], np.cumsum([len(b) for b in bars])]).astype(np.int64)
    count = int(offsets[-1])
    panel = Panel(
        symbols=tuple(b.symbol for b in bars),
        feature_names=plan.names,
        offsets=offsets,
        dates=np.empty(count, "datetime64[ns]"),
        features=np.empty((count, width), np.float32),
        close=np.empty(count),
        variance=np.empty(count),
        ewma_vol=np.empty(count),
        periods=tuple(bar_period(b.dates) for b in bars),
        warmup=plan.warmup,
        universe=plan.universe.facts if plan.universe is not None else None,
        market_wide=plan.market_wide,
    )
    for i, symbol_bars in enumerate(bars):
        rows = panel.rows(i)
        panel.dates[rows] = symbol_bars.dates
        panel.close[rows] = symbol_bars.close
    return panel


def _only_symbol(bars: AnyBars, symbol: str | None, on_steps: OnSteps) -> SymbolBars:
    found = usable_bars(bars, symbol, on_steps=on_steps, stacklevel=3)
    if len(found) != 1:
        names = ", ".join(b.symbol for b in found[:5])
        raise DataError(
            f"the frame has {len(found)} symbols ({names}); expected one. Select one, or fit a predictor on the "
            "bars of all: fit(bars)."
        )
    return found[0]

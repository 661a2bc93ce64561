"""What volatility forecasts read of a symbol's whole history, beside the features of a window."""

from __future__ import annotations

import numpy as np

from features.panel import Panel
from training.data.arrays import Float
from training.models.volatility.anchor import TERMS, anchor_inputs
from training.models.volatility.ewma import RISKMETRICS_DAILY, EwmaFleet
from training.models.volatility.garch import GarchFleet
from training.models.volatility.har import BASELINE_LAGS, har_design

# Columns of `Windows.series`, in order.
ANCHOR = slice(0, 1 + TERMS)
LAGS = slice(ANCHOR.stop, ANCHOR.stop + 1 + len(BASELINE_LAGS))  # a one, and log means
EWMA, GARCH = LAGS.stop, LAGS.stop + 1
WIDTH = GARCH + 1


def volatility_series(panel: Panel, garch: GarchFleet) -> Float:
    """Return what the anchor, the log-HAR baselines, the EWMA and the GARCH read of each bar's history, (rows, WIDTH).

    ``garch`` holds the parameters of the panel's symbols, in order. NaN where a history is too short.
    """
    count = len(panel.symbols)
    out = np.empty((len(panel.dates), WIDTH))
    out[:, ANCHOR] = anchor_inputs(panel.variance, panel.close, panel.offsets)
    out[:, LAGS] = har_design(panel.variance, panel.offsets, BASELINE_LAGS)
    ewma = EwmaFleet(np.full(count, RISKMETRICS_DAILY), np.ones(count), np.zeros(count))
    out[:, EWMA] = ewma.inputs(panel.variance, panel.offsets)
    out[:, GARCH] = garch.inputs(panel.close, panel.offsets)
    return out

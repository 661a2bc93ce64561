"""The forecasts that an engine's answers must agree with, and frames of bars as callers give them."""

import numpy as np
import pandas as pd

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
LAKE_BARS = 480


def frame(bars, **changes):
    columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame({"date": bars.dates, **columns} | changes)


def agrees(prediction, expected):
    direction, volatility = expected
    chances = prediction.direction.probabilities
    ours = [chances.down, chances.sideways, chances.up]
    np.testing.assert_allclose(ours, direction[["down", "sideways", "up"]].to_numpy(float), rtol=1e-5)
    label_set = [name for name in ("down", "sideways", "up") if direction[f"in_set_{name}"]]
    assert list(prediction.direction.label_set) == label_set
    assert prediction.direction.confidence == max(ours)
    ours = [prediction.volatility.annualised, prediction.volatility.low, prediction.volatility.high]
    theirs = volatility[["volatility", "volatility_low", "volatility_high"]].to_numpy(float)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    return True

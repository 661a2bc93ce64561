"""Whether a strategy uses the future: what it decides on cut data must be what it decides on all data."""

from __future__ import annotations

import numpy as np

from configs.errors import ConfigError
from configs.strategy import StrategyConfig
from training.strategy.pipeline import decide
from training.strategy.view import ForecastView


def check_past_only(view: ForecastView, settings: StrategyConfig, dates: int = 5) -> None:
    """Decide again on the view cut at some dates, evenly spread, and compare the decisions before each cut.

    Raises
    ------
    ConfigError
        A decision differs; the message names the first such symbol and date.
    """
    whole = decide(view, settings)
    count = len(whole.weights)
    for rows in np.unique(np.linspace(1, count - 1, dates, dtype=np.int64)) if count > 1 else ():
        cut = decide(view.until(whole.first + int(rows)), settings, first=whole.first)
        changed = np.argwhere(whole.weights[:rows] != cut.weights)
        if len(changed):
            t, s = changed[0]
            raise ConfigError(
                f"strategy {settings.name} uses the future: its position in {view.symbols[s]} on "
                f"{str(whole.dates[t])[:10]} is {whole.weights[t, s]:.4g} with all data and {cut.weights[t, s]:.4g} "
                f"with the data until {str(cut.dates[-1])[:10]}. Let row t of targets depend on rows up to t only."
            )

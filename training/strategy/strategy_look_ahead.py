"""Whether a strategy uses the future: what it decides on cut data must be what it decides on all data."""

from __future__ import annotations

import numpy as np

from configs.errors import ConfigError
from configs.strategy import StrategyConfig
from training.strategy.decision_frames import Decisions
from training.strategy.pipeline import decide
from training.strategy.view import ForecastView


def check_past_only(
    view: ForecastView, settings: StrategyConfig, dates: int = 5, decisions: Decisions | None = None
) -> None:
    """Decide again on the view cut at some dates, evenly spread, and compare the decisions before each cut.

    ``decisions`` are those on the uncut view, if they are known.

    Raises
    ------
    ConfigError
        A decision differs; the message names the first such symbol and date. Decisions that differ without any cut are
        random, and cannot be checked.
    """
    decisions = decide(view, settings) if decisions is None else decisions
    count = len(decisions.weights)
    for rows in np.unique(np.linspace(1, count - 1, dates, dtype=np.int64)) if count > 1 else ():
        cut = decide(view.until(decisions.first + int(rows)), settings, first=decisions.first)
        changed = np.argwhere(decisions.weights[:rows] != cut.weights)
        if len(changed):
            t, s = changed[0]
            # All dates are compared: on the few before a cut, random decisions can be equal by chance.
            if not np.array_equal(decisions.weights, decide(view, settings, first=decisions.first).weights):
                raise ConfigError(
                    f"strategy {settings.name} returns other positions each time that it is asked about the same data. "
                    "Seed its random numbers, such as np.random.default_rng(0) in targets."
                )
            raise ConfigError(
                f"strategy {settings.name} uses the future: its position in {view.symbols[s]} on "
                f"{str(decisions.dates[t])[:10]} is {decisions.weights[t, s]:.4g} with all data and "
                f"{cut.weights[t, s]:.4g} with the data until {str(cut.dates[-1])[:10]}. Let row t of targets depend "
                "on rows up to t only."
            )

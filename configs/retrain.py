"""Settings of retraining: when models are trained again, in which order, and when the former champion comes back."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from configs.values import Fraction, Frozen, Positive

Days = Annotated[float, Field(gt=0.0, le=100_000.0)]
Floor = Annotated[float, Field(gt=0.0, le=1.0)]


class RetrainConfig(Frozen):
    """When models are trained again; nothing here changes a fitted number.

    Promotion is decided as after every training. Symbols are ordered by staleness × drift × exposure, each with a
    floor, so that none is forgotten.
    """

    enabled: bool = True
    """Whether the bot trains again by itself."""
    every_days: Days = 7.0
    """Days after the last training of a kind when it is due again."""
    cool_down_days: Annotated[float, Field(ge=0.0, le=100_000.0)] = 1.0
    """Least days between two trainings of a kind, whatever monitoring says."""
    drift_share: Fraction = 0.25
    """Share of a kind's symbols with an open drift alert from which it is due before its time."""
    budget_symbols: Positive | None = None
    """Most symbols that one run fits, the first in order; null means all. The next runs fit the others on the same
    bars, and the last one publishes the version."""
    staleness_floor: Floor = 0.1
    """Least staleness of a symbol: days since the last outcome that its model has seen, over ``every_days``."""
    drift_floor: Floor = 0.2
    """Least drift of a symbol: its measure of drift over the one that raises an alert."""
    exposure_floor: Floor = 0.05
    """Least exposure of a symbol: the size of its position, as a share of equity."""
    shadow_days: Positive = 120
    """Days with outcomes for which the former champion is compared with a new one."""
    alpha: Annotated[float, Field(ge=1e-6, le=0.5)] = 0.05
    """Probability with which a new champion that is not worse is rolled back by chance: it is at the evidence
    1 / alpha."""
    hold_days: Annotated[float, Field(ge=0.0, le=100_000.0)] = 28.0
    """Days after a rollback in which no version of that kind is promoted by itself."""

"""Is one version worse than another that forecasts the same bars? The test behind going back to a former champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from configs.monitoring import MonitoringConfig
from configs.values import Kind
from serving.journal.kind_columns import KIND_COLUMNS
from serving.monitoring.kind_tests import betting_of
from serving.monitoring.steps import complete_steps
from serving.monitoring.streams import CLIP, Streams

_OTHER = "other"


@dataclass(frozen=True)
class PairedTest:
    """A test of the null hypothesis that a version's loss is in expectation at most that of another one.

    Attributes
    ----------
    horizon
        Bars ahead.
    streams
        The evidence so far.
    last
        The date of the last step; ISO, UTC.
    steps
        How many days were compared.
    peak
        The largest evidence so far.

    Examples
    --------
    >>> test = PairedTest.initial(1, MonitoringConfig())
    >>> test.evidence(MonitoringConfig()), test.is_worse(MonitoringConfig())
    (1.0, False)
    """

    horizon: int
    streams: Streams
    last: str = ""
    steps: int = 0
    peak: float = 0.0

    @classmethod
    def initial(cls, horizon: int, config: MonitoringConfig) -> PairedTest:
        """Return the test before the first comparison."""
        return cls(horizon, Streams.initial(horizon, betting_of(horizon, config), CLIP))

    def after(
        self, kind: Kind, version: pd.DataFrame, other: pd.DataFrame, config: MonitoringConfig, now: datetime
    ) -> PairedTest:
        """Return the test after all later days that both have forecast and whose outcomes are complete.

        ``version`` and ``other`` are rows of :func:`serving.monitoring.evaluations.read_evaluations`; whether one of
        them is a shadow makes no difference. A day is counted once, so calling it again changes nothing.
        """
        betting, found = betting_of(self.horizon, config), self
        rows = _joined(kind, version, other)
        for step in complete_steps(kind, rows, {}, config, now, self.last, baseline=_OTHER):
            gap = step.gaps.get("worse")
            streams = found.streams if gap is None else found.streams.after(step.start, step.end, gap, betting)
            peak = max(found.peak, streams.evidence(betting))
            found = replace(found, streams=streams, last=step.start, steps=found.steps + (gap is not None), peak=peak)
        return found

    def evidence(self, config: MonitoringConfig) -> float:
        """Return the evidence that the version is worse, 1 / h at the start."""
        return self.streams.evidence(betting_of(self.horizon, config))

    def is_worse(self, config: MonitoringConfig) -> bool:
        """Whether the evidence has ever reached 1 / ``monitoring.false_alarm_rate``."""
        return self.peak >= 1.0 / config.false_alarm_rate

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        plain = {name: getattr(self, name) for name in ("horizon", "last", "steps", "peak")}
        return plain | {"streams": self.streams.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PairedTest:
        """Invert :meth:`to_json`."""
        return cls(**{**value, "streams": Streams.from_json(value["streams"])})


def _joined(kind: Kind, version: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that both have forecast, with the other's forecast as a baseline's."""
    names = KIND_COLUMNS[kind].forecast
    theirs = other[["symbol", "bar_date", *names]].drop_duplicates(["symbol", "bar_date"])
    theirs = theirs.rename(columns={name: f"{name}_{_OTHER}" for name in names})
    ours = version.drop_duplicates(["symbol", "bar_date"])
    joined = ours.merge(theirs, on=["symbol", "bar_date"], how="inner")
    return joined.assign(is_shadow=np.zeros(len(joined), bool))

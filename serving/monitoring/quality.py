"""Whether forecasts arrive, on time and from good data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from configs.monitoring import MonitoringConfig
from configs.values import Kind
from serving.monitoring.forecast_rows import OUTCOME, has_outcome
from serving.monitoring.steps import bar_length, wait_of

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Quality:
    """What a kind's forecasts look like.

    Attributes
    ----------
    newest_bar, age_s
        The newest bar's close, and its age now in seconds.
    symbols, behind
        Symbols with a forecast in recent days, and those of them without one of their newest bar: the newest is older
        than others', and the bar that it is for has closed by the close of theirs. Where that is not known, older is
        enough.
    fallback, pooled
        Shares of recent rows that a baseline forecast, and that no fitted model of the symbol forecast.
    pending, overdue
        Forecasts without an outcome, and those of them that should have had one.
    too_late
        Forecasts made after their outcome, which no figure counts.
    revised
        Outcomes that changed after they were known.
    delay_s, longest_delay_s
        From a bar's close to its forecast, median and maximum of recent rows.
    served
        How often recent forecasts were served.
    """

    newest_bar: str
    age_s: float
    symbols: int
    behind: tuple[str, ...]
    behind_count: int
    fallback: float
    pooled: float
    pending: int
    overdue: int
    too_late: int
    revised: int
    delay_s: float
    longest_delay_s: float
    served: int


def quality_of(
    kind: Kind, frame: pd.DataFrame, recent: pd.DataFrame, horizon: int, config: MonitoringConfig, now: datetime
) -> Quality:
    """Return the quality of the forecasts of a kind; ``recent`` are the rows of the last ``recent_days``."""
    own, few = frame[~frame["is_shadow"].astype(bool)], recent[~recent["is_shadow"].astype(bool)]
    known = has_outcome(kind, own, OUTCOME[kind])
    moment = pd.Timestamp(now)
    wait = wait_of(horizon, config, bar_length(own))
    is_due = (own["bar_date"] + wait < moment.tz_convert("UTC").tz_localize(None)).to_numpy()
    newest = own["bar_close"].max()
    last = few.sort_values("bar_date", kind="stable").drop_duplicates("symbol", keep="last").set_index("symbol")
    older = last["bar_date"] < last["bar_date"].max()
    behind = sorted(last.index[older & ~(last["target_close"] > last["bar_close"].max())])
    delay = (few["made_at"] - few["bar_close"]).dt.total_seconds().to_numpy(dtype=np.float64)
    late = own["end_close"].notna() & (own["made_at"] >= own["end_close"])
    return Quality(
        newest_bar=newest.isoformat(),
        age_s=float((moment - newest).total_seconds()),
        symbols=len(last),
        behind=tuple(behind[:_NAMED]),
        behind_count=len(behind),
        fallback=_share(few["fallback"].astype(bool)),
        pooled=_share(few["basis"] == "pooled"),
        pending=int((~known).sum()),
        overdue=int((~known & is_due).sum()),
        too_late=int(late.sum()),
        revised=int((own["revision"].fillna(0.0) > 0).sum()),
        delay_s=float(np.median(delay)) if len(delay) else float("nan"),
        longest_delay_s=float(delay.max()) if len(delay) else float("nan"),
        served=int(few["times_served"].sum()),
    )


def _share(values: pd.Series[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")

"""The log-HAR baseline with one set of coefficients for all symbols; shown, not combined."""

from __future__ import annotations

from training.models.volatility.har import HarFleet
from training.models.volatility.member import MemberSpec
from training.models.volatility.members.log_har import LAGS, fit_shared, forecast

SPEC = MemberSpec(
    name="log_har_pooled",
    title="pooled log-HAR",
    state=HarFleet,
    fit_shared=fit_shared,
    series=LAGS,
    forecast=forecast,
    is_baseline=True,
    rank=0,
    is_combined=False,
)

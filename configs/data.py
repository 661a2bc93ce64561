"""Which bars a run reads, which features it builds, and how time is split.

Windows and lags count bars or sessions; dates are session dates; fractions lie in (0, 1).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from configs.values import Fraction, Frozen, Positive, Rate, unique


class ContextConfig(Frozen):
    """Market series (VIX, yields, oil …) in long form: ``date, series, value``.

    ``kinds`` maps each series to use to how it becomes scale-free: a ``level`` (already a rate of
    volatility, such as VIX: its logarithm and changes), a ``price`` (returns and distance to its mean
    only) or a ``rate`` (differences in points). ``lag_days`` guards against release-date leakage: a
    value dated *d* is used from the first bar dated *d + lag* on; series it does not name use 1 day.
    """

    path: str | None = None
    kinds: dict[str, Literal["level", "price", "rate"]] = Field(default_factory=dict)
    lag_days: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)


class DataConfig(Frozen):
    """Which bars a run reads. ``bars`` is a path, ``"embedded"`` or ``"lake"`` (the store's own).

    ``on_steps`` is what is done about prices that are off by a factor (pence for pounds, a lost decimal point, a split
    that is not applied). ``quarantine`` leaves out bars whose prices return, and rebases the prices before a step that
    a split explains, by the jump of volume that goes with it; ``rebase`` rebases before every step with a likely cause;
    ``keep`` changes nothing; ``refuse`` skips the symbol. A symbol with more than ``max_unexplained_steps`` that are
    neither left out nor rebased is skipped too, except with ``keep``.
    """

    bars: str = "embedded"
    symbols: Annotated[tuple[str, ...], AfterValidator(unique)] = ()
    start: date | None = None
    end: date | None = None
    min_bars: Positive = 250
    max_quarantined: Rate = 0.05
    on_steps: Literal["quarantine", "rebase", "keep", "refuse"] = "quarantine"
    max_unexplained_steps: Annotated[int, Field(ge=0)] = 0
    context: ContextConfig = ContextConfig()


class FeatureConfig(Frozen):
    """Which features are built, and how they are scaled.

    ``technical_indicators`` names catalog entries or whole groups; empty means all that the data
    allows. ``lookback_periods`` (bars) parametrise every rolling feature. ``max_features`` keeps the
    best on *train* only; ``None`` keeps all. ``scaling_method`` is fitted on train only and clips at
    ``clip`` scaled units. ``universe`` names the symbols that cross-asset features are relative to;
    empty means all. ``universe_lag`` (sessions) guards against look-ahead between time zones: with 0 a
    bar sees the universe up to its own date, whose later closes (New York's, for a bar of Tokyo) it
    could not know unless all symbols trade at the same hours; with 1 it sees the days before its own.
    ``None`` decides from the dates: 0 where all symbols trade on one calendar, else 1.
    """

    lookback_periods: tuple[Annotated[int, Field(ge=2, le=1000)], ...] = (5, 20, 60)
    technical_indicators: tuple[str, ...] = ()
    scaling_method: Literal["standard", "robust", "none"] = "standard"
    max_features: Positive | None = None
    clip: Annotated[float, Field(gt=0)] = 5.0
    universe: tuple[str, ...] = ()
    universe_lag: Annotated[int, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _periods_increase(self) -> Self:
        if not self.lookback_periods or list(self.lookback_periods) != sorted(set(self.lookback_periods)):
            raise ValueError(
                "lookback_periods must be one or more increasing whole numbers of bars, such as [5, 20, 60]"
            )
        return self


class SplitConfig(Frozen):
    """Train, validation and test by time, the same dates for every symbol.

    One calendar for all symbols keeps a pooled model from seeing the market's future through another
    symbol. Dates that are not given are placed by fraction of the universe's dates. ``embargo`` bars
    are dropped on top of the horizon that every boundary purges.
    """

    train_end: date | None = None
    valid_end: date | None = None
    test_start: date | None = None
    test_end: date | None = None
    valid_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.2
    embargo: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        given = [d for d in (self.train_end, self.valid_end, self.test_start, self.test_end) if d is not None]
        if given != sorted(given):
            raise ValueError("train_end ≤ valid_end ≤ test_start ≤ test_end must hold")
        if self.valid_fraction + self.test_fraction >= 1.0:
            raise ValueError("valid_fraction + test_fraction must leave something to train on (sum below 1)")
        return self

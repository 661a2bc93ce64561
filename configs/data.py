"""Which bars a run reads, which features it builds, and how time is split.

Windows and lags count bars or sessions; dates are session dates; fractions lie in (0, 1).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from configs.feature_groups import known_groups
from configs.reading import ReadingConfig
from configs.values import MOST, Fraction, Frozen, Positive, Rate, unique


class ContextConfig(Frozen):
    """Market series (VIX, yields, oil …) in long form: ``date, series, value``, and ``known_from`` where known."""

    path: str | None = None
    """A CSV or Parquet file of market series; null takes the series that ship with Fleetcast."""
    kinds: dict[str, Literal["level", "price", "rate"]] = Field(default_factory=dict)
    """Each series to use, and how it becomes scale-free: a ``level`` (already a rate of volatility, such as VIX: its
    logarithm and changes), a ``price`` (returns and distance to its mean) or a ``rate`` (differences in points)."""
    lag_days: dict[str, Annotated[int, Field(ge=0, le=10_000)]] = Field(default_factory=dict)
    """Days from the date of a series' value to the first bar that uses it, against release-date leakage. Needed for
    series without ``known_from``, except well-known ones (VIX 1, CPIAUCSL 60, GDP 125 …), whose values are revised."""


class DataConfig(Frozen):
    """Which bars a run reads."""

    bars: str | Annotated[tuple[str, ...], Field(min_length=1)] = "embedded"
    """``embedded`` (a small universe that ships with Fleetcast), ``lake`` (the store's own), or a path, folder, glob or
    list of files."""
    symbols: Annotated[tuple[str, ...], AfterValidator(unique)] = ()
    """The symbols to use; empty means all of the source."""
    start: date | None = None
    """First day to read; null means the first that there is."""
    end: date | None = None
    """Last day to read; null means the last that there is."""
    min_bars: Positive = 250
    """Symbols with fewer bars are skipped."""
    max_quarantined: Rate = 0.05
    """Symbols with a larger share of rows that break a rule are skipped."""
    on_steps: Literal["quarantine", "rebase", "keep", "refuse"] = "quarantine"
    """What is done about prices that are off by a factor (pence for pounds, a lost decimal point, a split that is not
    applied). ``quarantine`` leaves out bars whose prices return, and rebases the prices before a step that a split
    explains, by the jump of volume that goes with it; ``rebase`` rebases before every step with a likely cause;
    ``keep`` changes nothing; ``refuse`` skips the symbol."""
    max_unexplained_steps: Annotated[int, Field(ge=0, le=MOST)] = 0
    """Symbols with more steps that are neither left out nor rebased are skipped, except with ``data.on_steps=keep``."""
    reading: ReadingConfig = ReadingConfig()
    context: ContextConfig = ContextConfig()


class FeatureConfig(Frozen):
    """Which features are built, and how they are scaled."""

    lookback_periods: tuple[Annotated[int, Field(ge=2, le=1000)], ...] = (5, 20, 60)
    """Bars that rolling features look back; every rolling feature is built for each."""
    technical_indicators: tuple[str, ...] = ()
    """Families of the catalog, whole groups, or the beginnings of columns (``sma``, ``ema``, ``rsi``); empty means all
    that the data allows."""
    use_alternative_data: bool = False
    """Whether to use series of the lake that are not bars (`fleetcast data import --kind`): the groups ``options``,
    ``macro``, ``events`` and ``weather``, each as known at the bar's close."""
    use_sentiment: bool = False
    """Whether to use texts of the lake: the group ``sentiment``."""
    sentiment_scorer: str | None = None
    """The scorer whose stored scores are the tone of texts, such as ``finbert@…``; null scores them with the embedded
    lexicon. Texts without a score have the one of their source, if any."""
    without: Annotated[tuple[str, ...], AfterValidator(unique), AfterValidator(known_groups)] = ()
    """Groups of the catalog that are left out, such as ``options``; to measure what a group adds."""
    scaling_method: Literal["standard", "robust", "none"] = "standard"
    """How features are scaled; fitted on train rows only."""
    max_features: Positive | None = None
    """Keep the best features on train rows only; null keeps all."""
    clip: Annotated[float, Field(gt=0, le=1e6)] = 5.0
    """Scaled features are clipped at plus and minus this many units."""
    universe: tuple[str, ...] = ()
    """The symbols that cross-asset features are relative to; empty means all."""
    universe_lag: Annotated[int, Field(ge=0, le=1)] | None = None
    """Sessions that cross-asset features are delayed by, against look-ahead between time zones: with 0 a bar sees
    the universe up to its own date, whose later closes (New York's, for a bar of Tokyo) it could not know unless all
    symbols trade at the same hours; with 1 it sees the days before its own. null decides from the dates: 0 where all
    symbols trade on one calendar, else 1."""

    @model_validator(mode="after")
    def _periods_increase(self) -> Self:
        if not self.lookback_periods or list(self.lookback_periods) != sorted(set(self.lookback_periods)):
            raise ValueError(
                "lookback_periods must be one or more increasing whole numbers of bars, such as [5, 20, 60]"
            )
        return self


class SplitConfig(Frozen):
    """Train, validation and test by time, the same dates for every symbol.

    One calendar for all symbols keeps a pooled model from seeing the market's future through another symbol. Dates
    that are not given are placed by fraction of the universe's dates.
    """

    train_end: date | None = None
    """Last day of the train period; null places it by fraction."""
    valid_end: date | None = None
    """Last day of the validation period; null places it by fraction."""
    test_start: date | None = None
    """First day of the test period; null means the first after validation."""
    test_end: date | None = None
    """Last day of the test period; null means the last that there is."""
    valid_fraction: Fraction = 0.1
    """Share of the dates that validation has where its dates are not given."""
    test_fraction: Fraction = 0.2
    """Share of the dates that the test has where its dates are not given."""
    embargo: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Bars dropped at every boundary, on top of the horizon that is purged there."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        names = ("train_end", "valid_end", "test_start", "test_end")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if list(given.values()) != sorted(given.values()):
            dates = ", ".join(f"{name} {day}" for name, day in given.items())
            raise ValueError(f"train_end ≤ valid_end ≤ test_start ≤ test_end must hold, but the dates are {dates}")
        if self.valid_fraction + self.test_fraction >= 1.0:
            raise ValueError("valid_fraction + test_fraction must leave something to train on (sum below 1)")
        return self

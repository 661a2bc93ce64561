"""Settings of strategies: from forecasts to positions."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from configs.values import Fraction, Frozen, Positive

SizeMethod = Literal["volatility_target", "kelly", "equal_risk", "given"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Above0 = Annotated[float, Field(gt=0.0, le=100.0)]
Number = Annotated[float, Field(ge=-1e9, le=1e9)]
WholeNumber = Annotated[int, Field(ge=-(10**9), le=10**9)]
AtLeast0 = Annotated[float, Field(ge=0.0, le=100.0)]


class SizeConfig(Frozen):
    """How large a position is, before limits."""

    method: SizeMethod | None = None
    """``volatility_target``, ``kelly``, ``equal_risk``, or ``given``: the strategy's values are weights; null means the
    strategy's own choice."""
    volatility_target: Above0 = 0.10
    """Annualised volatility of a position: its weight is this over the upper end of the forecast's interval."""
    kelly_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 0.25
    """Share of the Kelly leverage that is used."""
    risk_per_trade: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Share of equity that a position may lose at its stop; null means no such limit."""


class FilterConfig(Frozen):
    """Which forecasts of a direction are acted on."""

    skill: Literal["measured", "assumed"] = "measured"
    """``measured``: a forecast is worth what past out-of-sample forecasts were worth. ``assumed``: what it says."""
    min_days: Annotated[int, Field(ge=2, le=100_000)] = 60
    """Days with known outcomes before which skill counts as unproven."""
    level: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.95
    """One-sided confidence with which the expected return after costs must be above 0; 0.5 takes its estimate."""
    cost_bps: Annotated[float, Field(ge=0.0, lt=10_000.0)] = 10.0
    """Cost of opening and closing a position, in basis points of its value."""
    min_confidence: Share = 0.0
    """Least probability of the direction taken. Daily forecasts rarely exceed 0.55, so 0.65 stops all trading."""
    min_strength: Share = 0.0
    """Least rank of |p_up − p_down| among past forecasts, from 0 to 1."""


class CapConfig(Frozen):
    """Limits of a portfolio, as shares of equity. Exceeding positions are scaled down."""

    name: Above0 = 0.10
    """Largest position in one symbol."""
    gross: Above0 = 1.0
    """Largest sum of the sizes of all positions; 1 borrows no money."""
    net: AtLeast0 = 1.0
    """Largest difference between long and short positions."""
    group: Above0 = 0.30
    """Largest sum of the sizes in a group of correlated symbols."""
    group_correlation: Fraction = 0.7
    """Correlation of past returns from which two symbols are in the same group."""
    correlation_window: Annotated[int, Field(ge=20, le=100_000)] = 250
    """Dates of past returns that correlations are estimated from, anew each month."""
    volatility: Above0 | None = 0.10
    """Largest annualised volatility of the portfolio, from forecasts and past correlations; null means no limit."""
    turnover: Above0 | None = None
    """Largest sum of changes of positions on one date; reductions that other limits require always happen. Null means
    no limit."""
    no_trade_band: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """A position is kept while its target differs from it by less than this share. Closing always happens."""


class RegimeConfig(Frozen):
    """Regimes of volatility, from past bars only."""

    states: Literal[2, 3] = 2
    """Calm and turbulent, or calm, normal and turbulent."""
    turbulent_size: Share = 1.0
    """Share of a position that is kept in the turbulent regime; 0 stays out."""


class StopConfig(Frozen):
    """Stops and profit targets from the forecast volatility.

    Under a random walk they lower the expected return, so there are none by default.
    """

    touch_probability: Fraction | None = None
    """Probability that a price without drift touches the stop, 0.1 for instance; null means no stops."""
    profit_probability: Fraction | None = None
    """Probability that a price without drift touches the profit target; null means no targets."""
    bars: Positive | None = None
    """Bars that the probabilities refer to; null means the horizon of the volatility forecast."""
    wait: Annotated[int, Field(ge=1, le=100_000)] = 5
    """Dates for which a symbol has no position after a stop or a profit target closed one."""


class StrategyConfig(Frozen):
    """From forecasts to positions. Models do not depend on these settings."""

    name: str = "volatility_target"
    """``volatility_target``, ``direction``, ``direction_x_volatility``, ``relative_rank``, or a class of your own as
    ``module:Class``."""
    parameters: dict[str, Number | WholeNumber | bool | str] = Field(default_factory=dict)
    """Keyword arguments of the strategy."""
    short: bool = True
    """Whether positions may be short."""
    max_age: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Bars after its own for which a forecast may be used."""
    max_halt: Annotated[float, Field(ge=0.0, le=100_000.0)] = 7.0
    """Days without a bar for which a position is kept, as over a holiday; then it is closed in the next bar."""
    size: SizeConfig = SizeConfig()
    filter: FilterConfig = FilterConfig()
    caps: CapConfig = CapConfig()
    regime: RegimeConfig = RegimeConfig()
    stops: StopConfig = StopConfig()

    @model_validator(mode="after")
    def _risk_needs_stops(self) -> Self:
        if self.size.risk_per_trade is not None and self.stops.touch_probability is None:
            raise ValueError("size.risk_per_trade is the loss at a stop; it needs stops.touch_probability, such as 0.1")
        return self

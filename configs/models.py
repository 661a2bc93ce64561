"""The models and how they are fitted. Horizons and windows count bars; fractions lie in (0, 1)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from configs.values import Fraction, Frozen, Positive, Rate, Strategy, unique


class LabelConfig(Frozen):
    """When a forward return counts as *sideways*.

    ``volatility``: inside ``± k·σ_t·√horizon`` with σ_t the EWMA volatility known at t (``k = 0.43``
    makes three equal classes under normality). ``threshold``: inside ``± threshold``, a log return.
    """

    mode: Literal["volatility", "threshold"] = "volatility"
    k: Annotated[float, Field(ge=0)] = 0.43
    threshold: Annotated[float, Field(ge=0)] = 0.005
    ewma_lambda: Fraction = 0.94


class NetworkConfig(Frozen):
    """LSTM layers, then multi-head self-attention, over windows of ``window`` bars."""

    window: Positive = 20
    lstm_units: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32,)
    attention_heads: Annotated[int, Field(ge=0)] = 4
    dropout: Rate = 0.1

    @model_validator(mode="after")
    def _heads_divide_units(self) -> Self:
        if self.attention_heads and self.lstm_units[-1] % self.attention_heads:
            raise ValueError(f"the last of lstm_units {self.lstm_units} must be a multiple of attention_heads")
        return self


class FitConfig(Frozen):
    """How a fleet is fitted. Early stopping is per symbol: each keeps its own best epoch."""

    epochs: Positive = 10
    batch_size: Positive = 64
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    patience: Positive = 3
    pooled_epochs: Positive = 10
    pooled_batch_size: Positive = 512
    pooled_symbols: Positive = 128
    pooled_rows: Positive = 400_000
    finetune_learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    shrinkage: Annotated[float, Field(ge=0)] = 1e-2


class DirectionConfig(Frozen):
    """The price-direction fleet: classes down, sideways, up over ``horizon`` bars.

    ``calibration`` scales logits towards the class prior, for all symbols alike; with ``vector`` each
    symbol's own rows may then move its scale and biases, with ``temperature`` its scale. Where symbols
    share nothing (``per_symbol``) both are the same.
    """

    horizon: Positive = 1
    strategy: Strategy = "pooled"
    label: LabelConfig = LabelConfig()
    network: NetworkConfig = NetworkConfig(window=10, lstm_units=(16,))
    fit: FitConfig = FitConfig(learning_rate=5e-4, patience=2, pooled_epochs=8)
    calibration: Literal["temperature", "vector", "none"] = "vector"
    calibration_shrinkage: Annotated[float, Field(ge=0)] = 500.0
    conformal_level: Fraction = 0.9


class ForestConfig(Frozen):
    """The random-forest member; ``max_rows`` caps the rows a forest is fitted on."""

    trees: Positive = 50
    max_depth: Positive = 12
    min_samples_leaf: Positive = 20
    max_rows: Positive = 50_000


class BoostingConfig(Frozen):
    """The boosting member: two boosted sums of ``trees`` trees with at most ``max_leaf_nodes`` leaves each.

    A leaf has at least ``min_samples_leaf`` rows (fewer where there are few); ``max_rows`` caps the rows of a fit.
    """

    trees: Positive = 200
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    max_leaf_nodes: Annotated[int, Field(ge=2)] = 31
    min_samples_leaf: Positive = 200
    max_rows: Positive = 200_000


class VolatilityConfig(Frozen):
    """The volatility ensemble: members that correct a log-HAR, each trusted as far as its rows allow.

    The GARCH baseline takes part even if it is not named: it has weight where members are trusted little. Each symbol's
    interval is shrunk to the pooled one, which counts as ``interval_shrinkage`` independent errors of ``horizon`` rows.

    ``model`` other than ``ensemble`` is one member's forecast as it is: nothing protects it where rows are few.
    ``garch`` is the GARCH member's recursion: with leverage (``GJR``), without (``GARCH``), or of the log variance
    (``EGARCH``).
    """

    horizon: Positive = 5
    strategy: Strategy = "pooled"
    members: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(unique)] = (
        "linear",
        "garch",
        "lstm",
        "forest",
        "boosting",
    )
    network: NetworkConfig = NetworkConfig()
    fit: FitConfig = FitConfig()
    forest: ForestConfig = ForestConfig()
    boosting: BoostingConfig = BoostingConfig()
    model: Literal["ensemble", "garch", "har", "lstm", "forest"] = "ensemble"
    garch: Literal["GARCH", "EGARCH", "GJR"] = "GJR"
    interval_shrinkage: Annotated[float, Field(ge=0)] = 500.0
    interval_level: Fraction = 0.9

    @property
    def alone(self) -> str | None:
        """The member that is the whole model; None for an ensemble."""
        return None if self.model == "ensemble" else {"har": "log_har"}.get(self.model, self.model)

    @property
    def used(self) -> tuple[str, ...]:
        """The members that are fitted besides the baselines."""
        return self.members if self.alone is None else (self.alone,)

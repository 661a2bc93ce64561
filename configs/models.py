"""The models and how they are fitted. Horizons and windows count bars; fractions lie in (0, 1)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from configs.values import (
    MOST,
    Bars,
    BatchSize,
    Epochs,
    Fraction,
    Frozen,
    LearningRate,
    Penalty,
    Positive,
    Rate,
    Strategy,
    Trees,
    unique,
)


class LabelConfig(Frozen):
    """When a forward return counts as *sideways*."""

    mode: Literal["volatility", "threshold"] = "volatility"
    """``volatility``: inside ± k·σ·√horizon. ``threshold``: inside ± threshold."""
    k: Annotated[float, Field(ge=0, le=100)] = 0.43
    """Half width of the sideways band in units of σ·√horizon, with σ the EWMA volatility known at the bar; 0.43 makes
    three equal classes under normality."""
    threshold: Annotated[float, Field(ge=0, le=10)] = 0.005
    """Half width of the sideways band as a log return, if the mode is ``threshold``."""
    ewma_lambda: Fraction = 0.94
    """Decay of the EWMA volatility of a bar."""


class NetworkConfig(Frozen):
    """LSTM layers, then multi-head self-attention, over windows of bars."""

    window: Bars = 20
    """Bars that the network sees."""
    lstm_units: Annotated[tuple[Annotated[int, Field(gt=0, le=4096)], ...], Field(min_length=1, max_length=16)] = (32,)
    """Units of each LSTM layer."""
    attention_heads: Annotated[int, Field(ge=0, le=256)] = 4
    """Heads of self-attention; 0 leaves attention out."""
    dropout: Rate = 0.1
    """Share of activations dropped in training."""

    @model_validator(mode="after")
    def _heads_divide_units(self) -> Self:
        if self.attention_heads and self.lstm_units[-1] % self.attention_heads:
            raise ValueError(f"the last of lstm_units {self.lstm_units} must be a multiple of attention_heads")
        return self


class FitConfig(Frozen):
    """How a fleet is fitted. Early stopping is per symbol: each keeps its own best epoch."""

    epochs: Epochs = 10
    """Most epochs of a symbol's own fit."""
    batch_size: BatchSize = 64
    """Rows of a batch in a symbol's own fit."""
    learning_rate: LearningRate = 1e-3
    """Learning rate of Adam."""
    weight_decay: Penalty = 0.0
    """Decoupled weight decay."""
    clip_norm: Annotated[float, Field(gt=0, le=MOST)] = 1.0
    """Largest norm of a gradient."""
    patience: Epochs = 3
    """Epochs without a better validation loss after which a fit stops."""
    pooled_epochs: Epochs = 10
    """Most epochs of the fit on all symbols together."""
    pooled_batch_size: BatchSize = 512
    """Rows of a batch in the pooled fit."""
    pooled_symbols: Positive = 128
    """Symbols that the pooled fit samples."""
    pooled_rows: Positive = 400_000
    """Rows that the pooled fit samples."""
    finetune_learning_rate: LearningRate = 1e-4
    """Learning rate of a symbol's fit that starts from the pooled one."""
    shrinkage: Penalty = 1e-2
    """Penalty on the distance of a symbol's weights from the pooled ones, in fine-tuning."""


class DirectionConfig(Frozen):
    """The price-direction fleet: classes down, sideways, up."""

    horizon: Bars = 1
    """Bars ahead that are forecast."""
    strategy: Strategy = "pooled"
    """One fit per symbol, one for all (``pooled``), or a pooled one fine-tuned on each symbol."""
    label: LabelConfig = LabelConfig()
    network: NetworkConfig = NetworkConfig(window=10, lstm_units=(16,))
    fit: FitConfig = FitConfig(learning_rate=5e-4, patience=2, pooled_epochs=8)
    calibration: Literal["temperature", "vector", "none"] = "vector"
    """Scales logits towards the class prior, for all symbols alike; with ``vector`` each symbol's own rows may then
    move its scale and biases, with ``temperature`` its scale. Where symbols share nothing (``per_symbol``) both are
    the same."""
    calibration_shrinkage: Penalty = 500.0
    """Rows that the calibration shared by all symbols counts as, against a symbol's own."""
    conformal_level: Fraction = 0.9
    """Share of label sets that should contain the class that comes true."""


class ForestConfig(Frozen):
    """The random-forest member."""

    trees: Trees = 50
    """Trees of a forest."""
    max_depth: Annotated[int, Field(gt=0, le=64)] = 12
    """Largest depth of a tree."""
    min_samples_leaf: Positive = 20
    """Fewest rows of a leaf."""
    max_rows: Positive = 50_000
    """Most rows that a forest is fitted on."""


class BoostingConfig(Frozen):
    """The boosting member: two boosted sums of trees."""

    trees: Trees = 200
    """Trees of each sum."""
    learning_rate: LearningRate = 0.05
    """Share of each tree that is added."""
    max_leaf_nodes: Annotated[int, Field(ge=2, le=10_000)] = 31
    """Most leaves of a tree."""
    min_samples_leaf: Positive = 200
    """Fewest rows of a leaf; fewer where there are few rows."""
    max_rows: Positive = 200_000
    """Most rows of a fit."""


class VolatilityConfig(Frozen):
    """The volatility ensemble: members that correct a log-HAR, each trusted as far as its rows allow.

    The GARCH baseline takes part even if it is not named: it has weight where members are trusted little.
    """

    horizon: Bars = 5
    """Bars ahead whose mean variance is forecast."""
    strategy: Strategy = "pooled"
    """One network per symbol, one for all (``pooled``), or a pooled one fine-tuned on each symbol."""
    members: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(unique)] = (
        "linear",
        "garch",
        "lstm",
        "forest",
        "boosting",
    )
    """The models that the ensemble combines."""
    network: NetworkConfig = NetworkConfig()
    fit: FitConfig = FitConfig()
    forest: ForestConfig = ForestConfig()
    boosting: BoostingConfig = BoostingConfig()
    model: str = "ensemble"
    """``ensemble``, or the name of a member (``har`` is the log-HAR): its forecast as it is, which nothing protects
    where rows are few."""
    garch: Literal["GARCH", "EGARCH", "GJR"] = "GJR"
    """The GARCH member's recursion: with leverage (``GJR``), without (``GARCH``), or of the log variance
    (``EGARCH``)."""
    interval_shrinkage: Penalty = 500.0
    """Independent errors of ``horizon`` rows that the interval shared by all symbols counts as, against a
    symbol's own."""
    interval_level: Fraction = 0.9
    """Share of intervals that should contain the volatility that comes true."""

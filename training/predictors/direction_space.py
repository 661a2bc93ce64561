"""What a sweep varies of direction models."""

from __future__ import annotations

from configs.models import DirectionConfig
from configs.space import Choice, Parameter, Range


def direction_space(config: DirectionConfig) -> dict[str, Parameter]:
    """Return the search space: the network, its fit, and how far each symbol's calibration may leave the shared one.

    The horizon and the labels stay: they decide what is forecast, and losses of different tasks do not compare.
    """
    space: dict[str, Parameter] = {
        "direction.network.window": Choice(values=(5, 10, 20)),
        "direction.network.lstm_units": Choice(values=((8,), (16,), (32,))),
        "direction.network.attention_heads": Choice(values=(0, 2, 4)),
        "direction.network.dropout": Range(low=0.0, high=0.4),
        "direction.fit.learning_rate": Range(low=1e-4, high=5e-3, log=True),
        "direction.fit.weight_decay": Choice(values=(0.0, 1e-4, 1e-3, 1e-2)),
        "direction.calibration_shrinkage": Range(low=50.0, high=5000.0, log=True),
    }
    if config.strategy != "per_symbol":
        space["direction.fit.pooled_batch_size"] = Choice(values=(256, 512, 1024, 2048))
    if config.strategy != "pooled":
        space["direction.fit.batch_size"] = Choice(values=(32, 64, 128))
    if config.strategy == "finetuned":
        space["direction.fit.finetune_learning_rate"] = Range(low=1e-5, high=1e-3, log=True)
        space["direction.fit.shrinkage"] = Range(low=1e-4, high=1.0, log=True)
    return space

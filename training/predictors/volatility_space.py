"""What a sweep varies of volatility ensembles."""

from __future__ import annotations

from configs.models import VolatilityConfig
from configs.space import Choice, Parameter, Range


def volatility_space(config: VolatilityConfig) -> dict[str, Parameter]:
    """Return the search space of the members that the ensemble has."""
    space: dict[str, Parameter] = {}
    if "lstm" in config.members:
        space |= {
            "volatility.network.window": Choice(values=(10, 20, 40)),
            "volatility.network.lstm_units": Choice(values=((8,), (16,), (32,))),
            "volatility.network.attention_heads": Choice(values=(0, 2, 4)),
            "volatility.network.dropout": Range(low=0.0, high=0.4),
            "volatility.fit.learning_rate": Range(low=1e-4, high=1e-2, log=True),
            "volatility.fit.pooled_batch_size": Choice(values=(256, 512, 1024)),
        }
    if "forest" in config.members:
        space |= {
            "volatility.forest.max_depth": Range(low=6, high=16, whole=True),
            "volatility.forest.min_samples_leaf": Range(low=5, high=100, log=True, whole=True),
        }
    if "boosting" in config.members:
        space |= {
            "volatility.boosting.learning_rate": Range(low=0.02, high=0.2, log=True),
            "volatility.boosting.max_leaf_nodes": Range(low=8, high=64, log=True, whole=True),
            "volatility.boosting.min_samples_leaf": Range(low=50, high=2000, log=True, whole=True),
        }
    return space

"""Families whose columns are those of series that the lake or a file has, as known at each bar."""

from __future__ import annotations

import numpy as np

from configs.feature_groups import FeatureGroup
from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs, Layout


def known_spec(name: str, group: FeatureGroup, description: str) -> FeatureSpec:
    """Return the family of all columns of a group: ``context_…``, ``options_…``; those without data are NaN."""

    def columns(layout: Layout) -> tuple[str, ...]:
        return tuple(column for column in layout.context if column.startswith(f"{group}_"))

    def compute(inputs: Inputs) -> list[Float]:
        unknown = np.full(len(inputs.bars), np.nan)
        return [inputs.known.get(column, unknown) for column in columns(inputs.layout)]

    return FeatureSpec(
        name=name,
        group=group,
        description=description,
        columns=columns,
        compute=compute,
        warmup=lambda layout: 0,
        needs=frozenset({"context"}),
        market_wide=lambda layout: tuple(column for column in columns(layout) if column in layout.market),
    )

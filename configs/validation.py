"""Settings of validation: windows of a walk-forward run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from configs.values import Frozen

Bars = Annotated[int, Field(ge=1, le=1_000_000)]


class WalkForwardConfig(Frozen):
    """Models are fitted on a window of the past, tested on the bars that follow, and fitted again further on."""

    train_window: Bars = 1000
    """Dates that a fit may see; validation is the end of them."""
    test_window: Bars = 63
    """Dates that follow a train window and test its models; the next windows start so many dates later."""
    expanding: bool = False
    """Whether every fit sees all dates from the first on, instead of the last train_window."""
    purge: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Bars dropped at the end of training and validation; null (auto), or fewer than it, means the horizon."""
    embargo: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Further bars dropped there; null means split.embargo."""
    refit_every: Bars = 1
    """Test windows that one fit serves."""

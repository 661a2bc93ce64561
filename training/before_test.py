"""The configuration of fits that the validation period scores, for decisions that must not see the test period."""

from __future__ import annotations

from datetime import date

import numpy as np

from configs.load import validated
from configs.schema import Config
from features.splits import Split


def before_test(config: Config, split: Split) -> Config:
    """Return the configuration of fits that the validation period of ``split`` scores, and that read no later bar.

    Of intraday bars, a day that belongs to both validation and test is left out.
    """
    first, last = (_day(at) for at in (split.valid_start, split.valid_end))
    if _day(split.test_start) == last:
        last = _day(split.valid_end - np.timedelta64(1, "D"))
    values = config.model_dump()
    values["data"]["end"] = last
    values["run"]["refit"] = False
    values["split"] |= {"train_end": None, "valid_end": _day(split.train_end), "test_start": first, "test_end": last}
    return validated(values, "this ablation")


def _day(at: np.datetime64) -> date:
    day: date = at.astype("datetime64[D]").item()
    return day

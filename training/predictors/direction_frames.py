"""Forecasts of direction as a person reads them: probabilities, labels and label sets."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from features.any_bars import AnyBars
from features.labels import CLASSES
from training.predictors.bars_predictor import BarsPredictor
from training.predictors.forecasts import Forecasts


class DirectionFrames(BarsPredictor):
    """Probabilities and labels of a fleet whose forecasts have the columns of :data:`features.labels.CLASSES`."""

    @property
    def classes_(self) -> tuple[str, ...]:
        """The classes, in the order of their codes 0, 1, 2."""
        self._check_attribute("classes_")
        return CLASSES

    def predict_proba(self, bars: AnyBars, **options: Any) -> Forecasts:
        """Return calibrated probabilities ``down, sideways, up`` by ``(symbol, date)``; arguments as of ``predict``."""
        return cast(Forecasts, self.predict(bars, **options)[list(CLASSES)])

    def predict_direction(self, bars: AnyBars, **options: Any) -> Forecasts:
        """Return probabilities, the likeliest ``label``, its ``confidence`` and the conformal ``label_set``.

        The arguments are those of :meth:`predict`. ``found["direction_labels"][-1]`` is the label of the last row.
        """
        found = self.predict(bars, **options)
        out = cast(Forecasts, found[list(CLASSES)].copy())
        values = out.to_numpy()
        members = found[[f"in_set_{name}" for name in CLASSES]].to_numpy()
        out["label"] = np.array(CLASSES)[values.argmax(axis=1)]
        out["confidence"] = values.max(axis=1)
        sets = (np.array(CLASSES)[row] for row in members.astype(bool))
        out["label_set"] = ["|".join(names) for names in sets]
        return out

"""Forecasts of direction as a person reads them: probabilities, labels and label sets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt

from configs.errors import shortened
from configs.schema import Config
from features.any_bars import AnyBars
from features.labels import CLASSES
from training.data.examples import Examples
from training.predictors.bars_predictor import BarsPredictor
from training.predictors.fitted_parameters import direction_parameters
from training.predictors.forecast_frames import Forecasts

logger = logging.getLogger(__name__)

_ROWS = 50
_STILL = 0.005  # a probability that varies by less says nothing about a day


class DirectionFrames(BarsPredictor):
    """Probabilities and labels of a fleet whose forecasts have the columns of :data:`features.labels.CLASSES`."""

    has_probabilities: ClassVar[bool] = True

    @classmethod
    def fitted_parameters(cls, arrays: Mapping[str, npt.NDArray[Any]], config: Config) -> dict[str, float]:
        """Return the class prior, the calibration's scale, and the size and ridge of the logistic regression."""
        return direction_parameters(arrays)

    def fit_made(self, examples: Examples) -> Self:
        """Fit examples as :meth:`.BarsPredictor.fit_made`; log a warning where forecasts are no more than the prior."""
        super().fit_made(examples)
        if silent := self._like_the_prior(examples.select(self.symbols)):
            logger.warning(
                "direction of %s: validation shows no pattern in the features, so every forecast is about the class "
                "prior. More bars, or more symbols fitted together, may show one.",
                shortened(silent),
            )
        return self

    def _like_the_prior(self, examples: Examples) -> list[str]:
        """Return the symbols whose probabilities hardly move over their newest validation rows."""
        rows = [part[-_ROWS:] for part in examples.part("valid")]
        found = self.forecast(examples.panel, rows)
        values = np.stack([found[name] for name in CLASSES], axis=1)
        parts = np.split(values, np.cumsum([len(part) for part in rows])[:-1])
        return [s for s, part in zip(examples.panel.symbols, parts, strict=True) if np.ptp(part, axis=0).max() < _STILL]

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

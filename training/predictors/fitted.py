"""What a fitted fleet is made of, under scikit-learn's names: attributes that end in an underscore."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy.typing as npt

from configs.schema import Config
from training.predictors.fleet import PredictorFleet


class Fitted(PredictorFleet):
    """A fleet whose fitted attributes exist after ``fit`` only. ``has_probabilities``: whether it forecasts classes."""

    has_probabilities: ClassVar[bool] = False

    @property
    def symbols_(self) -> tuple[str, ...]:
        """The symbols that are fitted."""
        self._check_attribute("symbols_")
        return self.symbols

    @property
    def feature_names_in_(self) -> tuple[str, ...]:
        """The features that it was fitted on."""
        self._check_attribute("feature_names_in_")
        return self.feature_names

    @property
    def n_features_in_(self) -> int:
        """How many features it was fitted on."""
        self._check_attribute("n_features_in_")
        return len(self.feature_names)

    @property
    def failures_(self) -> Mapping[str, str]:
        """The symbols that could not be fitted, each with its reason."""
        self._check_attribute("failures_")
        return self.failures

    @classmethod
    @abstractmethod
    def fitted_parameters(cls, arrays: Mapping[str, npt.NDArray[Any]], config: Config) -> dict[str, float]:
        """Return some of what the arrays of :meth:`to_arrays` were fitted to, by ``PART.PARAMETER``."""

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether something is fitted."""
        return bool(self.symbols)

    def _check_attribute(self, name: str) -> None:
        if not self.symbols:
            raise AttributeError(f"this {type(self).__name__} is not fitted and has no {name}. Call fit(bars) first.")

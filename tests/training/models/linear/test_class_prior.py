from __future__ import annotations

import numpy as np
import pytest

from training.models.linear.class_prior import ClassPrior


def test_prior_is_the_smoothed_frequency_and_never_zero() -> None:
    prior = ClassPrior.fit([0, 0, 2, 1], [0, 0, 0, 1], symbols=3)
    np.testing.assert_allclose(prior.probabilities, [[3 / 6, 1 / 6, 2 / 6], [1 / 4, 2 / 4, 1 / 4], [1 / 3] * 3])
    np.testing.assert_array_equal(prior.predict([2, 0]), prior.probabilities[[2, 0]])
    again = ClassPrior.from_arrays(prior.to_arrays())
    np.testing.assert_array_equal(again.probabilities, prior.probabilities)


def test_positions_outside_the_fleet_are_rejected() -> None:
    with pytest.raises(ValueError, match="symbol_row"):
        ClassPrior.fit([0, 1], [1, 2], symbols=2)

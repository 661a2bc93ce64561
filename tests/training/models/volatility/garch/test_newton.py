"""The search on functions whose constrained maxima are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from training.models.volatility.garch.constrained_newton import Constraints, Maximum, maximise

FREE = np.ones(2, bool)


@dataclass
class Parabola:
    """−½ (x − centre)ᵀ C (x − centre), whose information is the unit matrix."""

    x: np.ndarray
    curvature: np.ndarray
    centre: np.ndarray

    @property
    def value(self):
        return -0.5 * (self.x - self.centre) @ self.curvature @ (self.x - self.centre)

    def derivatives(self):
        return -self.curvature @ (self.x - self.centre), -self.curvature

    def information(self):
        return np.eye(2)


def search(curvature, centre, normals, limits, start, free=FREE, known=()):
    constraints = Constraints(np.array(normals, float), np.array(limits, float), free)
    function = lambda x: Parabola(x, np.array(curvature, float), np.array(centre, float))  # noqa: E731
    return maximise(function, np.array(start, float), constraints, 1e-9, 50, known)


@pytest.mark.parametrize(
    ("normals", "limits", "expected"),
    [
        ([[1, 0]], [-9], [2, 1]),  # no constraint binds
        ([[-1, 0]], [-1], [1, 1]),
        ([[-1, -1]], [-1], [1, 0]),
        ([[-1, -1], [0, 1]], [-1, 0.5], [0.5, 0.5]),
        ([[-1, 0], [0, -1]], [0, 0], [0, 0]),
    ],
)
def test_a_parabola_is_maximised_within_its_constraints(normals, limits, expected):
    found = search(np.eye(2), [2, 1], normals, limits, [-1, 0.6] if len(normals) == 2 and limits[1] else [-1, -1])
    assert found.converged
    np.testing.assert_allclose(found.parameters, expected, atol=1e-9)


def test_a_saddle_is_left_for_the_edge():
    found = search([[1, 0], [0, -1]], [0, 0], [[0, 1], [0, -1]], [-2, -3], [1, 0.5])
    np.testing.assert_allclose(found.parameters, [0, 3], atol=1e-9)
    assert found.converged


def test_fixed_parameters_stay():
    found = search([[2, 1], [1, 2]], [2, 1], [[1, 0]], [-9], [0, 0], free=np.array([True, False]))
    np.testing.assert_allclose(found.parameters, [2.5, 0], atol=1e-9)


def test_a_search_ends_at_a_known_maximum():
    known = Maximum(np.array([2.0, 1.0]), 7.0, True)
    assert search(np.eye(2), [2, 1], [[1, 0]], [-9], [0, 0], known=[known]) is known
    assert (
        search(np.eye(2), [2, 1], [[1, 0]], [-9], [0, 0], known=[Maximum(np.array([3.0, 1.0]), 7.0, True)]).value == 0
    )


def test_what_has_no_maximum_does_not_converge():
    assert not search([[1, 0], [0, -1]], [0, 0], [[1, 0]], [-9], [1, 0.5]).converged
    assert not search(np.full((2, 2), np.nan), [0, 0], [[1, 0]], [-9], [1, 0.5]).converged

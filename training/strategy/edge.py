"""The expected return of a position, how much of past expected returns came true, and what is left after costs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from training.strategy.series import Float
from training.strategy.skill import Skill


class Edge(NamedTuple):
    """Expected returns of a position over the horizon, (D, S): simple returns of its value.

    ``expected_return`` is what the forecast says before costs, ``net`` the measured part of it after costs, ``lower``
    the one-sided lower bound of ``net``, ``error`` its standard error, and ``second`` the expected squared return.
    """

    expected_return: Float
    net: Float
    lower: Float
    error: Float
    second: Float


def expected_return_of(probabilities: Float, class_means: Float) -> Float:
    """Return the expected return (…) of a long position from probabilities and means of the classes (…, 3)."""
    return np.asarray((probabilities[..., 0] * class_means[..., 0] + probabilities[..., 1] * class_means[..., 1])
                      + probabilities[..., 2] * class_means[..., 2])  # fmt: skip


def edges(expected_return: Float, second: Float, side: Float, skill: Skill, cost: float, level: float) -> Edge:
    r"""Return the edge of positions on a side.

    The measured slope b, at most 1 and at least 0, is the share of expected returns that came true:
    :math:`net = b\,|r| - cost`, with the expected return r, the error :math:`s = se(b)\,|r|` and the lower bound
    :math:`(b - z\,se(b))\,|r| - cost`.

    Parameters
    ----------
    expected_return, second : (D, S)
        Expected return of a long position and expected squared return, over the horizon.
    side : (D, S)
        +1 long, −1 short, 0 none, for which everything is NaN.
    skill
        Slope and error (D,); NaN before there is a measurement.
    cost
        Of opening and closing, as a share of the position.
    level
        One-sided confidence of the lower bound; 0.5 makes it the estimate.
    """
    own = np.where(side == 0.0, np.nan, side * expected_return)
    slope, error = skill.slope[:, None], skill.error[:, None]
    share = np.clip(slope, 0.0, 1.0)
    least = np.minimum(slope - ndtri(level) * error, 1.0)
    # An expected loss is no edge, however unreliable forecasts are.
    gain = np.maximum(own, 0.0)
    loss = np.minimum(own, 0.0)
    return Edge(
        expected_return=own,
        net=share * gain + loss - cost,
        lower=least * gain + loss - cost,
        error=error * np.abs(own),
        second=np.where(side == 0.0, np.nan, second),
    )

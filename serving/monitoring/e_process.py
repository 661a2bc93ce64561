r"""Evidence that may be looked at every day: test martingales of bounded loss gaps.

The null hypothesis says of each step that its gap g, known to be at least −1 before it is seen, has a mean of at most
0 given the past. Then :math:`1 + \lambda g` with a stake λ in [0, 1) has a mean of at most 1, and so has the product
over steps for stakes that depend on the past only. By Ville's inequality the product E ever reaches :math:`1/\alpha`
with probability at most α, whenever one looks and stops.

The stakes are learned from the past by dividing the wealth between constant ones (the weights of a mixture grow with
what each has won). The step from which skill is lost is not known: a quarter of the wealth plays from the first step
on, the rest joins step by step, so that a long good time before does not use up the evidence of a later loss. Both are
mixtures of test martingales, and therefore test martingales.

References
----------
Ville (1939). Étude critique de la notion de collectif.
Henzi & Ziegel (2022). Valid sequential inference on probability forecast performance. Biometrika 109, 647-663.
Choe & Ramdas (2024). Comparing sequential forecasters. Operations Research 72, 1368-1387.
Cover (1991). Universal portfolios. Mathematical Finance 1, 1-29 (mixtures over stakes).
Shin, Ramdas & Rinaldo (2024). E-detectors. New England J. Statistics in Data Science 2 (mixtures over change points).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.metrics.ratio import Array

STAKES = (0.1, 0.2, 0.4, 0.8)
_WAITING = 0.75  # share of the wealth that waits for a change
_MOST = 1e100  # more evidence than anyone needs; a bound from above keeps a supermartingale one


@dataclass(frozen=True)
class Betting:
    """How evidence is gathered.

    Attributes
    ----------
    stakes
        Constant stakes, each in (0, 1), that share the wealth equally at the start.
    change_steps
        Scale of the time of a change in steps: after t steps the share 0.75 / (1 + t / change_steps) of the wealth has
        not joined yet. None: all of it plays from the first step on.
    """

    stakes: tuple[float, ...] = STAKES
    change_steps: float | None = None

    def __post_init__(self) -> None:
        if not self.stakes or not all(0.0 < stake < 1.0 for stake in self.stakes):
            raise ValueError(f"stakes are {self.stakes!r}; expected at least one, each above 0 and below 1")
        if self.change_steps is not None and not self.change_steps > 0.0:
            raise ValueError(f"change_steps is {self.change_steps!r}; expected a number above 0, or None")

    def waiting(self, steps: int) -> float:
        """Return the share of the wealth that has not joined before the step after ``steps`` steps."""
        if self.change_steps is None or steps < 0:
            return 0.0 if steps >= 0 else 1.0
        return _WAITING / (1.0 + steps / self.change_steps)


@dataclass(frozen=True)
class Wealth:
    """Evidence after some steps: ``playing`` (…, K) is the wealth on each of K stakes."""

    playing: Array
    steps: int = 0

    @classmethod
    def initial(cls, betting: Betting, shape: Sequence[int] = ()) -> Wealth:
        """Return the wealth before the first step."""
        return cls(np.zeros((*shape, len(betting.stakes))))

    def after(self, gap: npt.ArrayLike, betting: Betting) -> Wealth:
        """Return the wealth after a step.

        Parameters
        ----------
        gap : (…)
            Positive if the null hypothesis predicted less; at least −1, by a bound that was known before the outcome.

        Raises
        ------
        ValueError
            A gap is below −1 or not a number.
        """
        g = np.asarray(gap, dtype=np.float64)
        if not (g >= -1.0 - 1e-9).all():
            raise ValueError(f"a gap is {float(np.min(g))!r}; expected at least -1")
        stakes = np.asarray(betting.stakes)
        joining = betting.waiting(self.steps - 1) - betting.waiting(self.steps)
        stake_wealth = self.playing + joining / len(stakes)
        grown = stake_wealth * (1.0 + stakes * np.maximum(g, -1.0)[..., None])
        return replace(self, playing=np.minimum(grown, _MOST), steps=self.steps + 1)

    def evidence(self, betting: Betting) -> Array:
        """Return E (…): the wealth that plays and that which waits; 1 at the start."""
        return np.asarray(self.playing.sum(axis=-1) + betting.waiting(self.steps - 1))


def e_process(gaps: npt.ArrayLike, betting: Betting | None = None) -> Array:
    """Return E after each step (…, T) of gaps (…, T).

    Examples
    --------
    >>> constant = Betting(stakes=(0.5,))
    >>> e = e_process([0.2] * 40, constant)
    >>> int((e >= 20).argmax()) + 1
    32
    """
    g, betting = np.asarray(gaps, dtype=np.float64), betting or Betting()
    wealth, out = Wealth.initial(betting, g.shape[:-1]), np.empty(g.shape)
    for t in range(g.shape[-1]):
        wealth = wealth.after(g[..., t], betting)
        out[..., t] = wealth.evidence(betting)
    return out

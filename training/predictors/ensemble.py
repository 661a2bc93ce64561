"""The ensemble: direction and volatility of the same symbols in one frame, direction averaged over several fleets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from configs.errors import DataError, ModelError, shortened
from configs.schema import Config
from features.panel import Panel
from features.splits import Split
from features.universe import UniverseFacts, UniverseTable
from training.data.arrays import Float
from training.data.examples import Int64
from training.models.calibration.newton import softmax
from training.predictors.bars_predictor import BarsPredictor
from training.predictors.direction import CLASSES, PriceDirectionPredictor
from training.predictors.input_bars import AnyBars, AnyContext
from training.predictors.volatility import VolatilityPredictor

if TYPE_CHECKING:
    import pandas as pd

_VOLATILITY = ["volatility", "volatility_low", "volatility_high"]


class EnsemblePredictor:
    """Several direction fleets, averaged, and a volatility fleet.

    Fleets that differ only in the seed err in part independently, so an average of them loses some of what chance put
    into each. Probabilities are averaged in logarithms, ``p ∝ Π p_k^w_k``, with the weights of :func:`pool_weights`.

    Parameters
    ----------
    config
        The run's configuration.
    seeds
        Seeds of the direction fleets to fit; by default the configuration's and the two after it.
    directions, volatility
        Fitted predictors to combine, with equal weights, instead of calling :meth:`fit`.

    Attributes
    ----------
    weights
        The direction fleets' weights (K,), which sum to one.

    Examples
    --------
    >>> from configs import load_config
    >>> from features.sources.embedded import EmbeddedSource
    >>> bars = list(EmbeddedSource().load(["AAPL", "IBM", "MSFT"]))
    >>> ensemble = EnsemblePredictor(load_config("smoke"), seeds=(1, 2)).fit(bars)
    >>> ensemble.predict(bars).columns.tolist()
    ['down', 'sideways', 'up', 'label', 'confidence', 'volatility', 'volatility_low', 'volatility_high']

    References
    ----------
    Genest & Zidek (1986). Combining probability distributions. Statistical Science 1, section 3 (logarithmic pools).
    Lakshminarayanan, Pritzel & Blundell (2017). Simple and scalable predictive uncertainty. NeurIPS (seeds).
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        seeds: Sequence[int] | None = None,
        directions: Sequence[PriceDirectionPredictor] = (),
        volatility: VolatilityPredictor | None = None,
    ) -> None:
        self.config = config or (directions[0].config if directions else Config())
        own = self.config.run.seed
        self.seeds = (own, own + 1, own + 2) if seeds is None else tuple(seeds)
        if not self.seeds:
            raise ModelError("an ensemble needs at least one seed. Give seeds=(1, 2, 3), or leave them out.")
        self.directions = tuple(directions)
        self.volatility = volatility
        self.weights: Float = np.full(len(self.directions), 1.0 / max(len(self.directions), 1))

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that every member was fitted on, in the order of the first."""
        if not self.directions or self.volatility is None:
            return ()
        others = [set(member.symbols) for member in (*self.directions[1:], self.volatility)]
        return tuple(symbol for symbol in self.directions[0].symbols if all(symbol in known for known in others))

    def fit(self, bars: AnyBars, *, context: AnyContext | None = None, split: Split | None = None) -> Self:
        """Fit a direction fleet for every seed, the volatility fleet, and the weights; see :meth:`BarsPredictor.fit`.

        Raises
        ------
        DataError
            No symbol can be fitted by every member.
        """
        seeded = [self.config.run.model_copy(update={"seed": seed}) for seed in self.seeds]
        directions = [PriceDirectionPredictor(self.config.model_copy(update={"run": run})) for run in seeded]
        examples = directions[0].examples(bars, context=context, split=split)
        self.directions = tuple(member.fit_every(examples) for member in directions)
        self.volatility = VolatilityPredictor(self.config).fit(bars, context=context, split=split)
        if not self.symbols:
            failures = [r for member in (*self.directions, self.volatility) for r in member.failures.values()]
            raise DataError(f"no symbol was fitted by every member ({'; '.join(failures[:3])}). Give more bars.")
        examples = examples.select(self.symbols)
        labels, _ = examples.labels("valid")
        logs = self._log_probabilities([examples.panel] * len(self.directions), examples.part("valid"))
        self.weights = pool_weights(logs, labels, self.config.direction.calibration_shrinkage)
        return self

    def predict(
        self, bars: AnyBars, *, context: AnyContext | None = None, universe: UniverseTable | None = None
    ) -> pd.DataFrame:
        """Return class probabilities, the likeliest ``label``, its ``confidence``, and annualised ``volatility``.

        Indexed by ``(symbol, date)``: the symbols that all members know, at every bar that completes all windows.
        The arguments are those of :meth:`BarsPredictor.predict`.

        Raises
        ------
        ModelError
            The ensemble is not fitted, or none of these symbols is.
        """
        if self.volatility is None or not self.symbols:
            raise ModelError("this EnsemblePredictor has no symbol that all its members know. Call fit(bars) first.")
        *panels, last = self._panels((*self.directions, self.volatility), bars, context, universe)
        members = (*self.directions, self.volatility)
        starts = [m.first_row(p) for p, m in zip((*panels, last), members, strict=True)]
        rows = [np.arange(min(max(starts), length), length, dtype=np.int64) for length in np.diff(last.offsets)]
        out = self.volatility.predict_panel(last, rows)[_VOLATILITY]
        pooled = softmax(np.einsum("k,nkc->nc", self.weights, self._log_probabilities(panels, rows)))
        for position, name in enumerate(CLASSES):
            out.insert(position, name, pooled[:, position])
        out.insert(len(CLASSES), "label", np.array(CLASSES)[pooled.argmax(axis=1)])
        out.insert(len(CLASSES) + 1, "confidence", pooled.max(axis=1))
        return out

    def _panels(
        self,
        members: Sequence[BarsPredictor],
        bars: AnyBars,
        context: AnyContext | None,
        universe: UniverseTable | None,
    ) -> list[Panel]:
        """Return each member's panel of the common symbols; members with the same features and universe share one."""
        built: dict[tuple[tuple[str, ...], UniverseFacts | None], Panel] = {}
        known = frozenset(self.symbols)
        for member in members:
            if (member.feature_names, member.universe) not in built:
                panel = member.panel(bars, context=context, universe=universe)
                common = tuple(symbol for symbol in panel.symbols if symbol in known)
                if not common:
                    raise ModelError(f"none of these symbols was fitted; the ensemble holds {shortened(self.symbols)}.")
                built[member.feature_names, member.universe] = panel.select(common)
        return [built[member.feature_names, member.universe] for member in members]

    def _log_probabilities(self, panels: Sequence[Panel], rows: Sequence[Int64]) -> Float:
        """Return the logarithm of each direction fleet's probabilities, (n, K, 3)."""
        found = []
        for member, panel in zip(self.directions, panels, strict=True):
            columns = member.forecast(panel, rows)
            found.append(np.log(np.stack([columns[name] for name in CLASSES], axis=1)))
        return np.stack(found, axis=1)


def pool_weights(logs: Float, labels: npt.ArrayLike, shrinkage: float) -> Float:
    r"""Return the weights of a logarithmic pool that minimise its log loss, shrunk to equal ones.

    Minimises :math:`-\sum_i \ln p_{i,y_i}(w) - \frac{s}{K} \sum_k \ln w_k` over the simplex: as if ``shrinkage``
    further rows had said that all members are equally good. Convex, so the optimum is unique.

    Parameters
    ----------
    logs
        Logarithms of the members' probabilities, (n, K, 3), on rows that they were not fitted on.
    labels
        Classes (n,).
    shrinkage
        s, in rows.
    """
    y = np.asarray(labels, dtype=np.int64)
    count, members = logs.shape[:2]
    chosen = logs[np.arange(count), :, y]

    def objective(free: Float) -> tuple[float, Float]:
        w = softmax(free[None])[0]
        mixed = np.einsum("k,nkc->nc", w, logs)
        top = mixed.max(axis=1, keepdims=True)
        odds = np.exp(mixed - top)
        total = odds.sum(axis=1, keepdims=True)
        loss = (np.log(total) + top)[:, 0] - chosen @ w
        slope = np.einsum("nkc,nc->k", logs, odds / total) - chosen.sum(axis=0)
        value = loss.sum() - shrinkage / members * np.log(w).sum()
        gradient = w * (slope - w @ slope) - shrinkage / members * (1.0 - members * w)
        return float(value) / count, gradient / count

    found = minimize(objective, np.zeros(members), jac=True, method="BFGS")
    return np.asarray(softmax(found.x[None])[0])

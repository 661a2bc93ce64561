"""The ensemble: direction and volatility of the same symbols in one frame, and models of your own next to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
import pandas as pd

from configs.errors import ConfigError, DataError, ModelError, require, shortened, shown
from configs.load import config_hash, config_or
from configs.schema import Config
from features.any_bars import AnyBars
from features.labels import CLASSES
from features.panel import Panel
from features.splits import Split
from features.universe import UniverseFacts, UniverseTable
from training.data.arrays import Float
from training.data.examples import Examples
from training.predictors.bars_predictor import BarsPredictor
from training.predictors.base import BasePredictor
from training.predictors.custom import aligned
from training.predictors.forecast_frames import Forecasts
from training.predictors.input_bars import AnyContext
from training.predictors.kinds.direction import PriceDirectionPredictor
from training.predictors.kinds.volatility import VolatilityPredictor
from training.predictors.pool import VOLATILITY, log_probabilities, mean_volatility, pool_weights, pooled


class EnsemblePredictor(BasePredictor):
    """Several predictors as one: direction fleets averaged, volatility fleets averaged, other models next to them.

    Fleets that differ only in the seed err in part independently, so an average of them loses some of what chance put
    into each. Probabilities are averaged in logarithms, ``p ∝ Π p_k^w_k``, with the weights of
    :func:`.pool_weights`; volatilities by their geometric mean.

    Parameters
    ----------
    predictors
        Predictors to combine, fitted or to be fitted by :meth:`fit`. A :class:`.BasePredictor` of your own is given the
        bars as they are; of what it predicts, the columns ``down, sideways, up`` take part in the average of
        directions and ``volatility`` in that of volatilities, and others are added as ``<class>_<column>``. By default
        a direction fleet per seed and a volatility fleet.
    config
        The configuration of the default predictors.
    seeds
        Seeds of the default direction fleets; by default the configuration's and the two after it.

    Attributes
    ----------
    predictors_
        The predictors (K,) that are fitted, in order.
    weights_
        Their weights (K,), of which those of predictors with class probabilities count. Fleets leave validation rows
        out of their fit and are weighed by them; one of your own may have seen them, so its weight is 1 / K.

    Examples
    --------
    >>> from configs import load_config
    >>> from features import load_bars
    >>> bars = load_bars("embedded", ["AAPL", "IBM", "MSFT"])
    >>> ensemble = EnsemblePredictor(config=load_config("smoke"), seeds=(1, 2)).fit(bars)
    >>> ensemble.predict(bars).columns.tolist()
    ['down', 'sideways', 'up', 'label', 'confidence', 'volatility', 'volatility_low', 'volatility_high', 'in_sample']

    References
    ----------
    Genest & Zidek (1986). Combining probability distributions. Statistical Science 1, section 3 (logarithmic pools).
    Lakshminarayanan, Pritzel & Blundell (2017). Simple and scalable predictive uncertainty. NeurIPS (seeds).
    """

    def __init__(
        self,
        predictors: Sequence[BasePredictor] | None = None,
        *,
        config: Config | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        given = predictors if predictors is not None else ()
        if not isinstance(given, (list, tuple)) or not all(isinstance(p, BasePredictor) for p in given):
            raise ConfigError(
                f"EnsemblePredictor was given {shown(predictors)}; expected a list of predictors (BasePredictor), such "
                "as [PriceDirectionPredictor(), VolatilityPredictor()], or config=."
            )
        if predictors is not None and not given:
            raise ModelError(
                "an ensemble needs at least one predictor. Give some, such as [VolatilityPredictor()], or none at all."
            )
        if config is not None:
            config_or(config, "EnsemblePredictor")
        require(seeds, (list, tuple, range, type(None)), "seeds", "a list of whole numbers, such as (1, 2, 3)")
        for seed in seeds or ():
            require(seed, int, "a seed", "a whole number")
        if seeds is not None and not len(seeds):
            raise ModelError("an ensemble needs at least one seed. Give seeds=(1, 2, 3), or leave them out.")
        self.predictors, self.config, self.seeds = predictors, config, seeds
        self.predictors_: tuple[BasePredictor, ...] = tuple(given)
        count = len(given)
        self.weights_: Float = np.full(count, 1.0 / max(count, 1))

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that every fleet was fitted on, in the order of the first."""
        first, *others = self._fleets or (None,)
        if first is None:
            return ()
        return tuple(symbol for symbol in first.symbols if all(symbol in other.symbols for other in others))

    def fit(
        self,
        bars: AnyBars,
        *,
        symbol: str | None = None,
        context: AnyContext | None = None,
        split: Split | None = None,
    ) -> Self:
        """Fit every predictor, and the weights; fleets as :meth:`.BarsPredictor.fit` does, others by ``fit(bars)``.

        Raises
        ------
        DataError
            No symbol can be fitted by every fleet.
        """
        self.predictors_ = self._default() if self.predictors is None else tuple(self.predictors)
        made = dict[str, Examples]()
        for one in self.predictors_:
            if not isinstance(one, BarsPredictor):
                one.fit(bars)
                continue
            one.reset()
            key = config_hash(one.kind, one.config.of_models() | {"run": None})
            if key not in made:
                made[key] = one.examples(bars, symbol=symbol, context=context, split=split)
            one.fit_made(made[key])
        if self._fleets and not self.symbols:
            failures = [reason for one in self._fleets for reason in one.failures.values()]
            raise DataError(f"no symbol was fitted by every member ({'; '.join(failures[:3])}). Give more bars.")
        self.weights_ = self._weights(made.values())
        return self

    def predict(
        self,
        bars: AnyBars,
        *,
        symbol: str | None = None,
        context: AnyContext | None = None,
        universe: UniverseTable | None = None,
    ) -> Forecasts:
        """Return class probabilities, the likeliest ``label``, its ``confidence``, and annualised ``volatility``.

        Indexed by ``(symbol, date)``: the symbols that all fleets know, at every bar that completes all windows. Other
        models have NaN where they have no row. ``in_sample`` marks bars whose outcomes some fleet has seen in fitting.
        The arguments are those of :meth:`.BarsPredictor.predict`.

        Raises
        ------
        ModelError
            The ensemble is not fitted, none of these symbols is, or a model returns no table.
        """
        if not self.predictors_ or (self._fleets and not self.symbols):
            raise ModelError("this EnsemblePredictor has no symbol that all its members know. Call fit(bars) first.")
        frames = dict[int, pd.DataFrame]()
        if self._fleets:
            panels = self._panels(bars, symbol, context, universe)
            starts = [fleet.first_row(panel) for fleet, panel in zip(self._fleets, panels, strict=True)]
            rows = [np.arange(min(max(starts), n), n, dtype=np.int64) for n in np.diff(panels[0].offsets)]
            for fleet, panel in zip(self._fleets, panels, strict=True):
                frames[id(fleet)] = fleet.predict_panel(panel, rows)
        for one in self.predictors_:
            if not isinstance(one, BarsPredictor):
                found = aligned(one.predict(bars), bars, type(one).__name__, symbol)
                index = next(iter(frames.values())).index if frames else found.index
                frames[id(one)] = found.reindex(index)
        return self._combined([frames[id(one)] for one in self.predictors_])

    @property
    def _fleets(self) -> list[BarsPredictor]:
        return [one for one in self.predictors_ if isinstance(one, BarsPredictor)]

    def _default(self) -> tuple[BasePredictor, ...]:
        config = self.config or Config()
        own = config.run.seed
        seeded = [config.run.model_copy(update={"seed": s}) for s in self.seeds or (own, own + 1, own + 2)]
        directions = [PriceDirectionPredictor(config.model_copy(update={"run": run})) for run in seeded]
        return (*directions, VolatilityPredictor(config))

    def _weights(self, made: Iterable[Examples]) -> Float:
        """Return each predictor's weight, of direction fleets with the same examples by their validation rows."""
        weights = np.full(len(self.predictors_), 1.0 / len(self.predictors_))
        for examples in made:
            alike = [
                (i, one)
                for i, one in enumerate(self.predictors_)
                if isinstance(one, BarsPredictor) and one.has_probabilities and one.fitted_on(examples)
            ]
            if len(alike) < 2:
                continue
            chosen = examples.select(self.symbols)
            found = [pd.DataFrame(one.forecast(chosen.panel, chosen.part("valid"))) for _, one in alike]
            logs = np.stack([log_probabilities(frame, type(alike[0][1]).__name__) for frame in found], axis=1)
            shrinkage = alike[0][1].config.direction.calibration_shrinkage
            own = pool_weights(logs, chosen.labels("valid")[0], shrinkage)
            weights[[i for i, _ in alike]] = own * len(alike) / len(self.predictors_)
        return weights

    def _panels(
        self, bars: AnyBars, symbol: str | None, context: AnyContext | None, universe: UniverseTable | None
    ) -> list[Panel]:
        """Return each fleet's panel of the common symbols; fleets with the same features and universe share one."""
        built: dict[tuple[tuple[str, ...], UniverseFacts | None], Panel] = {}
        known = frozenset(self.symbols)
        for one in self._fleets:
            if (one.feature_names, one.universe) not in built:
                panel = one.panel(bars, symbol=symbol, context=context, universe=universe)
                common = tuple(name for name in panel.symbols if name in known)
                if not common:
                    raise ModelError(f"none of these symbols was fitted; the ensemble holds {shortened(self.symbols)}.")
                built[one.feature_names, one.universe] = panel.select(common)
        return [built[one.feature_names, one.universe] for one in self._fleets]

    def _combined(self, frames: Sequence[pd.DataFrame]) -> Forecasts:
        out = Forecasts(index=frames[0].index)
        names = [type(one).__name__ for one in self.predictors_]
        directed = [i for i, frame in enumerate(frames) if set(CLASSES) <= set(frame.columns)]
        if directed:
            logs = np.stack([log_probabilities(frames[i], names[i]) for i in directed], axis=1)
            values = pooled(logs, self.weights_[directed])
            for position, name in enumerate(CLASSES):
                out[name] = values[:, position]
            labels = np.array(CLASSES, dtype=object)[values.argmax(axis=1)]
            labels[np.isnan(values).any(axis=1)] = None
            out["label"] = labels
            out["confidence"] = values.max(axis=1)
        moving = [frame for frame in frames if "volatility" in frame.columns]
        if moving:
            means = mean_volatility(moving)
            out[list(means.columns)] = means
        seen = [
            f["in_sample"] for f, one in zip(frames, self.predictors_, strict=True) if isinstance(one, BarsPredictor)
        ]
        if seen:
            out["in_sample"] = np.logical_or.reduce(seen)
        for one, name, frame in zip(self.predictors_, names, frames, strict=True):
            if not isinstance(one, BarsPredictor):
                taken = [column for group in (CLASSES, VOLATILITY) if group[0] in frame.columns for column in group]
                own = frame.drop(columns=taken, errors="ignore")
                for column in own.columns:
                    out[f"{name.lower()}_{column}"] = own[column]
        return out

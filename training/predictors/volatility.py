"""Volatility: the mean variance of the next bars, a log-HAR corrected by an ensemble, with conformal intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from features.labels import annualised
from features.panel import Panel
from training.data.arrays import Arrays, Float, Float32, part_of, prefixed, take_rows
from training.data.examples import Examples, Int64, Part, panel_rows
from training.data.windows import Windows, window_features
from training.metrics.volatility import qlike_rows
from training.models.fleet.fit import predict_windows
from training.models.trust import independent_rows
from training.models.volatility.combination import Combination, combine, combined_names
from training.models.volatility.ewma import EwmaFleet, fit_ewma
from training.models.volatility.garch import GarchFleet, fit_garch
from training.models.volatility.har import BASELINE_LAGS, HarFleet, fit_per_symbol, har_design
from training.models.volatility.intervals import IntervalFleet, fit_own_intervals, fit_pooled_intervals, prior_scale
from training.models.volatility.linear import LinearFleet
from training.models.volatility.trees import TreeFleet
from training.predictors.base import BasePredictor
from training.predictors.volatility_inputs import ANCHOR, EWMA, GARCH, LAGS, volatility_series
from training.predictors.volatility_network import correction_factors, volatility_network
from training.predictors.volatility_own import fit_own_forests, fit_own_network, fit_own_regression
from training.predictors.volatility_pool import SharedVolatility, VolatilityPool, fit_volatility_pool, trust

_CHUNK = 4096  # windows forecast together: their features take some 50 MB
_BOUND_ROWS = 20_000  # train rows that show how far members correct the anchor
_FALLBACK = 10.0  # a forecast further from the anchor than this factor is not one
_NEVER = np.iinfo(np.int64).max

_OWN: dict[str, Any] = {
    "log_har": HarFleet,
    "ewma": EwmaFleet,
    "garch": GarchFleet,
    "linear": LinearFleet,
    "interval": IntervalFleet,
    "adapted": IntervalFleet,
}


class VolatilityPredictor(BasePredictor):
    """A fleet of volatility ensembles: a log-HAR that linear member, LSTM, forest, boosting and GARCH correct.

    Forecasts are the mean variance a bar over the next ``horizon`` bars (``variance``) and its annualised square root
    (``volatility``, a fraction a year). How far the members are used depends on how many rows they were fitted on
    (:mod:`training.models.volatility.combination`); with few the forecast is the log-HAR's, whose coefficients are
    shrunk to a shipped prior. A symbol that was not fitted gets what all fitted symbols share.

    Examples
    --------
    >>> from configs import load_config
    >>> from features.sources.embedded import EmbeddedSource
    >>> bars = list(EmbeddedSource().load(["AAPL", "IBM", "MSFT"]))
    >>> predictor = VolatilityPredictor(load_config("smoke")).fit(bars)
    >>> latest = predictor.predict(bars).loc["IBM"].iloc[-1]
    >>> bool(latest["volatility_low"] < latest["volatility"] < latest["volatility_high"])
    True
    """

    kind: ClassVar[str] = "volatility"

    _shared: SharedVolatility
    _combination: Combination
    # One row per symbol, then the row of symbols that were not fitted:
    _log_har: HarFleet
    _ewma: EwmaFleet
    _garch: GarchFleet
    _linear: LinearFleet
    _interval: IntervalFleet  # as fitted on validation
    _adapted: IntervalFleet  # as of the last outcome seen, for bars after it
    _adapted_to: Int64  # when that outcome was known, in ns
    # One row for all, or such rows:
    _forest: TreeFleet | None
    _weights: Float32 | None
    _level: Float

    def fit_pooled(self, examples: Examples) -> Arrays:
        """Fit what symbols share, the members' bounds on train rows, and the pooled interval on validation rows."""
        part, pool = self.config.volatility, fit_volatility_pool(examples, self.config)
        draft = type(self)(self.config)
        draft.feature_names = examples.panel.feature_names
        draft._stack({}, replace(pool.shared, linear=pool.first))
        places = np.concatenate([np.zeros(0, np.int64), *examples.part("train")])
        step = max(1, -(-len(places) // _BOUND_ROWS))
        thinned = [rows[::step] for rows in examples.part("train")]
        anchor, members = draft._members_of(examples.panel, thinned)
        combination = combine(part.members, trust(examples, self.config), anchor, members)
        draft._combination = combination
        errors, _ = draft._errors(examples)
        independent = independent_rows(len(errors), len(examples.rows)) / part.horizon
        train_errors = np.log(examples.targets[examples.places(thinned)[0]] / anchor)
        scale = prior_scale(train_errors, independent_rows(len(places), len(examples.rows)) / part.horizon)
        interval = fit_pooled_intervals(errors, independent, part.interval_level, scale)
        shared = replace(pool.shared, combination=combination, interval=interval)
        return replace(pool, shared=shared).to_arrays()

    def fit_examples(self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Fit the baselines, regressions and intervals of every symbol, shrunk to what all symbols share."""
        part, panel, pool = self.config.volatility, examples.panel, VolatilityPool.from_arrays(pooled)
        shared = pool.shared
        assert shared.interval is not None
        self.symbols, self.failures = panel.symbols, {}
        self.feature_names, self.universe = panel.feature_names, panel.universe
        known = np.zeros(len(examples.targets), bool)
        known[examples.places(examples.train_and_valid())[0]] = True
        lagged = har_design(panel.variance, panel.offsets, BASELINE_LAGS)
        own: dict[str, Any] = {
            "log_har": fit_per_symbol(lagged, examples.targets, panel.offsets, known, BASELINE_LAGS),
            "ewma": fit_ewma(panel.variance, examples.targets, panel.offsets, known),
            # A symbol whose GARCH cannot be estimated has none; the anchor takes its weight.
            "garch": fit_garch(panel.close, examples.targets, panel.offsets, known, part.horizon)[0],
            "linear": fit_own_regression(examples, pool, ("train",)),
        }
        if part.strategy != "pooled":
            if shared.weights is not None:
                own["weights"], own["level"] = fit_own_network(examples, pool, self.config)
            if shared.forest is not None and part.strategy == "per_symbol":
                own["forest"] = fit_own_forests(examples, pool, self.config)
        # The linear member behind the intervals' errors has not seen the validation rows; the one that is kept has. The
        # baselines have seen them in both cases: they have few coefficients and little weight.
        self._stack(own, shared)
        errors, symbol = self._errors(examples)
        count, level = len(self.symbols), part.interval_level
        own["interval"] = own["adapted"] = fit_own_intervals(
            errors, symbol, count, part.horizon, level, shared.interval, part.interval_shrinkage
        )
        own["linear"] = fit_own_regression(examples, pool, ("train", "valid"))
        self._stack(own, shared)
        ends = panel.offsets[:-1] + [rows.valid[-1] + part.horizon for rows in examples.rows]
        self._adapted_to = np.append(panel.dates[ends].astype("datetime64[ns]").view(np.int64), _NEVER)
        return self

    def forecast(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, npt.NDArray[Any]]:
        """Return ``variance`` and its interval ``_low, _high``, the three as annualised ``volatility``, ``fallback``.

        ``fallback`` marks rows whose ensemble had no usable forecast, so that the log-HAR's (or, without a log-HAR, the
        EWMA's) stands in its place.
        """
        return _joined([self.forecast_windows(*chunk) for chunk in self._chunks(panel, rows)])

    def windows(self, panel: Panel, rows: Sequence[Int64]) -> Windows:
        """Return the features of each window, and what its symbol's history says at its last bar."""
        places, _ = panel_rows(panel, rows)
        return self._windows_at(panel, places, self._series(panel))

    def forecast_windows(self, windows: Windows, symbols: Int64) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of :meth:`forecast`."""
        return self._columns_of(windows, symbols, self._variance(windows, symbols, self._parts(windows, symbols)))

    def _columns_of(
        self, windows: Windows, symbols: Int64, found: tuple[Float, npt.NDArray[np.bool_]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of combined forecasts."""
        variance, fallback = found
        ends = self._interval.ends[symbols]
        late = windows.dates.astype("datetime64[ns]").view(np.int64) > self._adapted_to[symbols]
        ends[late] = self._adapted.ends[symbols[late]]
        low, high = (variance * np.exp(end) for end in ends.T)
        three = {"": variance, "_low": low, "_high": high}
        out: dict[str, npt.NDArray[Any]] = {f"variance{end}": values for end, values in three.items()}
        out |= {f"volatility{end}": annualised(values) for end, values in three.items()}
        return out | {"fallback": fallback}

    def adapt_intervals(self, errors: Float, symbol: Int64, known: npt.NDArray[np.datetime64]) -> Float:
        """Return interval ends (n, 2) of ln(y / f) made walk-forward, and keep the state after the last outcome.

        Rows are each symbol's, in order of time: ``errors`` (n,) are ln(y / f), ``symbol`` (n,) rows of this fleet,
        ``known`` (n,) the dates on which the outcomes were known. Bars up to a symbol's last outcome keep the intervals
        of validation: with the later state they would know their own outcomes.
        """
        part = self.config.volatility
        ends, self._adapted = self._interval.walk_forward(errors, symbol, part.horizon, part.interval_level)
        self._adapted_to = self._adapted_to.copy()
        np.maximum.at(self._adapted_to, symbol, known.astype("datetime64[ns]").view(np.int64))
        return ends

    def forecast_with_baselines(
        self, panel: Panel, rows: Sequence[Int64]
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Float]]:
        """Return the forecast, and the variances of what it is judged against: baselines, then members.

        Baselines are ``ewma``, ``garch``, ``log_har`` (per symbol) and ``log_har_pooled``; then come the ``anchor`` and
        the members as far as they are trusted. One is NaN for a row that it has no forecast for.
        """
        found: list[dict[str, Float]] = []
        columns: list[dict[str, npt.NDArray[Any]]] = []
        for windows, symbols in self._chunks(panel, rows):
            parts = anchor, table, factor = self._parts(windows, symbols)
            columns.append(self._columns_of(windows, symbols, self._variance(windows, symbols, parts)))
            lags, one = windows.series[:, LAGS], np.zeros(len(symbols), np.int64)
            others = self._baselines(windows, symbols) | {"log_har_pooled": self._shared.log_har.forecast(lags, one)}
            others = {name: others[name] for name in ("ewma", "garch", "log_har", "log_har_pooled")}
            others["anchor"] = anchor
            for name, correction in zip(combined_names(self.config.volatility.members), table.T, strict=True):
                if name not in others:
                    others[name] = anchor * np.exp(self._combination.trust[0] * correction + factor)
            found.append(others)
        joined = _joined(found)
        usable = {name: np.isfinite(values) & (values > 0) for name, values in joined.items()}
        return _joined(columns), {name: np.where(usable[name], values, np.nan) for name, values in joined.items()}

    def row_losses(self, examples: Examples, part: Part) -> tuple[Float, Int64]:
        """Return QLIKE."""
        columns = self.forecast(examples.panel, examples.part(part))
        places, symbol = examples.places(examples.part(part))
        return qlike_rows(examples.targets[places], columns["variance"]), symbol

    def to_arrays(self) -> Arrays:
        """Return the fitted state: what all symbols share, and what each has of its own."""
        own, out = np.arange(len(self.symbols)), self._shared.to_arrays()
        for name in _OWN:
            out |= prefixed(name, getattr(self, f"_{name}").take(own).to_arrays())
        if self._forest is not None and len(self._forest) > 1:
            out |= prefixed("forest", self._forest.take(own).to_arrays())
        if self._weights is not None and len(self._weights) > 1:
            out |= {"weights": self._weights[own], "level": self._level[own]}
        return out | {"adapted_to": self._adapted_to[own]}

    def _load(self, arrays: Mapping[str, npt.NDArray[Any]], rows: Int64) -> None:
        own: dict[str, Any] = {
            name: fleet.from_arrays(part_of(arrays, name)).take(rows) for name, fleet in _OWN.items()
        }
        if forest := part_of(arrays, "forest"):
            own["forest"] = TreeFleet.from_arrays(forest).take(rows)
        own |= {name: arrays[name][rows] for name in ("weights", "level") if name in arrays}
        self._stack(own, SharedVolatility.from_arrays(arrays))
        self._adapted_to = np.append(arrays["adapted_to"][rows], _NEVER)

    def _stack(self, own: Mapping[str, Any], shared: SharedVolatility) -> None:
        """Take what all symbols share, and the symbols' own fleets, each followed by the row of those not fitted."""
        self._shared = shared
        if shared.combination is not None:
            self._combination = shared.combination
        interval = shared.interval or IntervalFleet(np.array([[-1.0, 1.0]]))
        last = {
            "log_har": shared.log_har,
            "ewma": shared.ewma,
            "garch": GarchFleet(np.full((1, 5), np.nan), np.ones(1)),
            "linear": shared.linear,
            "interval": interval,
            "adapted": interval,
        }
        for name, fleet in last.items():
            setattr(self, f"_{name}", type(fleet).concat([own[name], fleet]) if name in own else fleet)
        self._forest, self._weights, self._level = shared.forest, shared.weights, shared.level
        if self._forest is not None and "forest" in own:
            self._forest = TreeFleet.concat([own["forest"], self._forest])
        if self._weights is not None and "weights" in own:
            self._weights = np.concatenate([own["weights"], self._weights])
            self._level = np.concatenate([own["level"], self._level])
        self._adapted_to = np.full(len(self._ewma), _NEVER)

    def _series(self, panel: Panel) -> Float:
        return volatility_series(panel, self._garch.take(self._rows_of(panel)))

    def _windows_at(self, panel: Panel, places: Int64, series: Float) -> Windows:
        return Windows(panel.dates[places], window_features(panel.features, places, self.window), series[places])

    def _chunks(self, panel: Panel, rows: Sequence[Int64]) -> Iterator[tuple[Windows, Int64]]:
        """Yield windows of these rows, and their symbols' rows in this fleet, some thousand together; at least once."""
        places, position = panel_rows(panel, rows)
        own, series = self._rows_of(panel)[position], self._series(panel)
        for start in range(0, max(len(places), 1), _CHUNK):
            part = slice(start, start + _CHUNK)
            yield self._windows_at(panel, places[part], series), own[part]

    def _parts(self, windows: Windows, symbols: Int64) -> tuple[Float, Float, Float]:
        """Return the anchor (n,), the bounded corrections of members and baselines (n, M), the market's log factor."""
        part = self.config.volatility
        anchor, found = self._members(windows, symbols)
        found |= self._baselines(windows, symbols)
        table = np.stack([found[name] for name in combined_names(part.members)], axis=1)
        level = windows.features[:, :, self._shared.market.level_column[0]]
        scaled = self._shared.design.scaled(windows.features, self._shared.market.columns)
        factor = self._shared.market.log_factor(scaled, level, part.horizon)
        return anchor, self._combination.corrections(anchor, table), factor

    def _variance(
        self, windows: Windows, symbols: Int64, parts: tuple[Float, Float, Float]
    ) -> tuple[Float, npt.NDArray[np.bool_]]:
        """Return the combined forecast (n,) of :meth:`_parts`, and where a baseline stands in its place (n,)."""
        anchor, table, factor = parts
        variance = anchor * np.exp(self._combination.log_correction(table) + factor)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.abs(np.log(variance / anchor))
        fallback = ~(distance <= np.log(_FALLBACK))
        if fallback.any():
            ewma = self._ewma.forecast(windows.series[:, EWMA], symbols)
            usable = np.isfinite(anchor) & (anchor > 0)
            variance = np.where(fallback, np.where(usable, anchor, ewma), variance)
        return variance, fallback

    def _baselines(self, windows: Windows, symbols: Int64) -> dict[str, Float]:
        series, horizon = windows.series, self.config.volatility.horizon
        return {
            "ewma": self._ewma.forecast(series[:, EWMA], symbols),
            "garch": self._garch.forecast(series[:, GARCH], symbols, horizon),
            "log_har": self._log_har.forecast(series[:, LAGS], symbols),
        }

    def _members(self, windows: Windows, symbols: Int64) -> tuple[Float, dict[str, Float]]:
        """Return the anchor's variances (n,), and those of the fitted members, before any bound."""
        inputs = windows.series[:, ANCHOR]
        features = self._shared.design.transform(windows.features)  # (n, T, k)
        last = features[:, -1]
        anchor = self._linear.anchor_forecast(inputs, symbols)
        base = self._linear.forecast(inputs, last, symbols)
        found = {"linear": base}
        own = np.ascontiguousarray(last[:, self._shared.design.own])
        one = np.zeros(len(symbols), np.int64)
        if self._forest is not None:
            tree = symbols if len(self._forest) > 1 else one
            found["forest"] = base * np.exp(self._forest.predict(own, tree))
        if self._shared.boosting is not None:
            ratio, plain = self._shared.boosting.predict(own, one), self._shared.boosting.predict(own, one + 1)
            found["boosting"] = np.sqrt(base * np.exp(ratio + plain))
        if self._weights is not None:
            network = volatility_network(self.config, self._shared.design.own_columns)
            bars = np.ascontiguousarray(features[:, :, self._shared.design.own])
            outputs = predict_windows(network, take_rows(self._weights, symbols), bars)
            found["lstm"] = take_rows(self._level, symbols) * base * correction_factors(outputs[:, 0])
        return anchor, {name: found[name] for name in self.config.volatility.members if name in found}

    def _members_of(self, panel: Panel, rows: Sequence[Int64]) -> tuple[Float, dict[str, Float]]:
        """Return the anchor (n,) at these rows, and every member and baseline before any bound."""
        parts = []
        for windows, symbols in self._chunks(panel, rows):
            anchor, members = self._members(windows, symbols)
            parts.append((anchor, members | self._baselines(windows, symbols)))
        names = parts[0][1]
        return np.concatenate([anchor for anchor, _ in parts]), {
            name: np.concatenate([members[name] for _, members in parts]) for name in names
        }

    def _errors(self, examples: Examples) -> tuple[Float, Int64]:
        """Return ln(y / f) of the validation rows, and each row's symbol."""
        chunks = self._chunks(examples.panel, examples.part("valid"))
        variance = np.concatenate([self._variance(*chunk, self._parts(*chunk))[0] for chunk in chunks])
        places, symbol = examples.places(examples.part("valid"))
        return np.log(examples.targets[places] / variance), symbol

    def _score(self, panel: Panel, rows: Sequence[Int64]) -> float:
        return float(np.log(self.forecast(panel, rows)["variance"][0]))


def _joined(parts: Sequence[Mapping[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

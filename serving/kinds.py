"""What differs between kinds of models when they are served: one object per kind, all in ``SERVED_KINDS``.

The README of ``serving/`` lists what else a new kind needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.schema import Config
from configs.values import Kind
from features.labels import CLASSES, annualised, direction_labels, sideways_band, volatility_target
from features.panel import Panel
from serving.answers import Basis, DirectionForecast, Forecast, Probabilities, VolatilityForecast
from serving.targets import LastBar, band_of, target_date
from training.predictors.bars_predictor import BarsPredictor

Columns = Mapping[str, npt.NDArray[Any]]
Int64 = npt.NDArray[np.int64]


class ServedKind(Protocol):
    """Turns the columns that a predictor forecasts into answers."""

    def nominal_coverage(self, config: Config) -> float:
        """Return the probability with which label sets or intervals are calibrated to contain the outcome."""
        ...

    def forecasts(
        self, predictor: BarsPredictor, columns: Columns, version: str, basis: Sequence[Basis], last: Sequence[LastBar]
    ) -> list[Forecast]:
        """Return the forecast of each row; ``columns``, ``basis`` and the ``last`` bars have n rows."""
        ...

    def recorded(self, predictor: BarsPredictor, columns: Columns, last: Sequence[LastBar]) -> dict[str, list[Any]]:
        """Return what the journal records of each row besides what all kinds have: its columns, as lists of length n.

        They are named as in test tables. ``last`` are the n last bars.
        """
        ...

    def recorded_at_test(self, row: Mapping[str, Any], band: float) -> dict[str, Any]:
        """Return what the journal records of a row of a test table, by its columns; ``baselines`` by their names.

        ``band`` is half the width of sideways, a log return over the horizon; NaN where it is not known.
        """
        ...

    def tested_columns(self, predictor: BarsPredictor, panel: Panel, table: pa.Table) -> Columns:
        """Return the columns of :meth:`history` from a test table of n rows of a single-symbol panel."""
        ...

    def history(self, predictor: BarsPredictor, panel: Panel, rows: Int64, columns: Columns) -> dict[str, Any]:
        """Return past forecasts and outcomes of a single-symbol panel's ``rows`` (n,) as JSON lists of length n.

        ``columns`` are those of :meth:`tested_columns`, NaN where a row has none, or of the predictor's forecasts. The
        outcome is None where the horizon is not over.
        """
        ...


def data_ends(predictor: BarsPredictor) -> dict[str, str | None]:
    """Return ``trained_to`` and ``calibrated_to``: the last labels that weights and calibration saw, as ISO dates."""
    found = {name: getattr(predictor, name, None) for name in ("trained_to", "calibrated_to")}
    return {name: None if date is None else str(date)[:10] for name, date in found.items()}


class _Direction:
    def nominal_coverage(self, config: Config) -> float:
        return config.direction.conformal_level

    def forecasts(
        self, predictor: BarsPredictor, columns: Columns, version: str, basis: Sequence[Basis], last: Sequence[LastBar]
    ) -> list[Forecast]:
        probabilities = np.stack([columns[name] for name in CLASSES], axis=1)
        in_set = np.stack([columns[f"in_set_{name}"] for name in CLASSES], axis=1).tolist()
        likeliest = np.argmax(probabilities, axis=1).tolist()
        settings = predictor.config.direction
        return [
            DirectionForecast(
                label=cast(Any, CLASSES[best]),
                confidence=row[best],
                probabilities=Probabilities(*row),
                label_set=tuple(name for name, inside in zip(CLASSES, members, strict=True) if inside),
                level=settings.conformal_level,
                horizon_bars=settings.horizon,
                horizon=predictor.period.in_words(settings.horizon),
                version=version,
                basis=row_basis,
                band=band_of(bar, settings.horizon, settings.label),
                target_date=target_date(bar, settings.horizon),
                **data_ends(predictor),
            )
            for row, best, members, row_basis, bar in zip(
                probabilities.tolist(), likeliest, in_set, basis, last, strict=True
            )
        ]

    def recorded(self, predictor: BarsPredictor, columns: Columns, last: Sequence[LastBar]) -> dict[str, list[Any]]:
        settings = predictor.config.direction
        vol = np.array([bar.ewma_vol for bar in last])
        band = sideways_band(vol, settings.horizon, settings.label)
        return {
            **{f"p_{name}": columns[name].tolist() for name in CLASSES},
            **{f"in_set_{name}": columns[f"in_set_{name}"].tolist() for name in CLASSES},
            "band": [value if np.isfinite(value) else None for value in band.tolist()],
            "level": [settings.conformal_level] * len(last),
        }

    def recorded_at_test(self, row: Mapping[str, Any], band: float) -> dict[str, Any]:
        out: dict[str, Any] = {f"p_{label}": float(row[f"p_{label}"]) for label in CLASSES}
        if all(f"in_set_{label}" in row for label in CLASSES):
            out |= {f"in_set_{label}": bool(row[f"in_set_{label}"]) for label in CLASSES}
        head = f"p_{CLASSES[0]}_"
        names = [column.removeprefix(head) for column in row if column.startswith(head)]
        tables = {name: [float(row[f"p_{label}_{name}"]) for label in CLASSES] for name in names}
        baselines = {name: table for name, table in tables.items() if np.isfinite(table).all()}
        return {**out, "band": _known(band), "baselines": baselines}

    def tested_columns(self, predictor: BarsPredictor, panel: Panel, table: pa.Table) -> Columns:
        names = {**{name: f"p_{name}" for name in CLASSES}, "loss_prior": "loss_prior"}
        return {name: table[other].to_numpy().astype(np.float64) for name, other in names.items()}

    def history(self, predictor: BarsPredictor, panel: Panel, rows: Int64, columns: Columns) -> dict[str, Any]:
        settings = predictor.config.direction
        labels = direction_labels(panel.close, panel.ewma_vol, settings.horizon, settings.label)[rows]
        prior = cast(Any, predictor).prior(panel.symbols[0]).tolist()
        if "loss_prior" in columns:  # of the fit that was tested: the published one has counted these outcomes
            tested = np.isfinite(columns["loss_prior"])
            for code in range(len(CLASSES)):
                if len(at := np.flatnonzero(tested & (labels == code))):
                    prior[code] = float(np.exp(-columns["loss_prior"][at[0]]))
        return {
            **{name: columns[name].tolist() for name in CLASSES},
            "prior": dict(zip(CLASSES, prior, strict=True)),
            "outcome": [CLASSES[label] if label >= 0 else None for label in labels],
        }


class _Volatility:
    def nominal_coverage(self, config: Config) -> float:
        return config.volatility.interval_level

    def forecasts(
        self, predictor: BarsPredictor, columns: Columns, version: str, basis: Sequence[Basis], last: Sequence[LastBar]
    ) -> list[Forecast]:
        names = ("volatility", "volatility_low", "volatility_high", "bars_per_year", "fallback")
        settings = predictor.config.volatility
        horizon = predictor.period.in_words(settings.horizon)
        return [
            VolatilityForecast(
                annualised=value,
                low=low,
                high=high,
                level=settings.interval_level,
                horizon_bars=settings.horizon,
                horizon=horizon,
                bars_per_year=year,
                version=version,
                basis=row_basis,
                fallback=fallback,
                target_date=target_date(bar, settings.horizon),
                **data_ends(predictor),
            )
            for value, low, high, year, fallback, row_basis, bar in zip(
                *(columns[name].tolist() for name in names), basis, last, strict=True
            )
        ]

    def recorded(self, predictor: BarsPredictor, columns: Columns, last: Sequence[LastBar]) -> dict[str, list[Any]]:
        names = {"variance": "variance", "low": "variance_low", "high": "variance_high"}
        found = {name: columns[other].tolist() for name, other in names.items()}
        found |= {name: columns[name].tolist() for name in ("bars_per_year", "fallback")}
        return {**found, "level": [predictor.config.volatility.interval_level] * len(last)}

    def recorded_at_test(self, row: Mapping[str, Any], band: float) -> dict[str, Any]:
        ends = {"variance": row["forecast"], "low": row.get("low"), "high": row.get("high")}
        found = {name: None if value is None else _known(value) for name, value in ends.items()}
        head = "forecast_"
        baselines = {
            column.removeprefix(head): float(value)
            for column, value in row.items()
            if column.startswith(head) and np.isfinite(value)
        }
        return {**found, "baselines": baselines}

    def tested_columns(self, predictor: BarsPredictor, panel: Panel, table: pa.Table) -> Columns:
        names = {"volatility": "forecast", "volatility_low": "low", "volatility_high": "high"}
        year = _year(predictor, panel)
        return {name: annualised(table[other].to_numpy().astype(np.float64), year) for name, other in names.items()}

    def history(self, predictor: BarsPredictor, panel: Panel, rows: Int64, columns: Columns) -> dict[str, Any]:
        target = volatility_target(panel.variance, predictor.config.volatility.horizon)[rows]
        realised = annualised(target, _year(predictor, panel)).tolist()
        return {
            "low": columns["volatility_low"].tolist(),
            "high": columns["volatility_high"].tolist(),
            "annualised": columns["volatility"].tolist(),
            "realised": [value if np.isfinite(value) else None for value in realised],
        }


def _year(predictor: BarsPredictor, panel: Panel) -> float:
    """Return the bars a year of a single-symbol panel, by which the model annualises it."""
    return float(cast(Any, predictor).bars_per_year(panel)[0])


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


SERVED_KINDS: Mapping[Kind, ServedKind] = {"direction": _Direction(), "volatility": _Volatility()}

"""The newest forecasts as a table: what ``fleetcast predict`` prints and ``fleetcast train`` ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from configs.words import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from configs.schema import Config
    from serving.answers import Prediction
    from training.run.kind_result import KindResult

SHOWN = 40
_NOTES = 5
_POOLED = "no model was trained on it: forecast by what the trained symbols share (pooled)"


@dataclass
class ForecastRow:
    """What is shown of one symbol; ``band`` is the larger end of the sideways band, a fraction."""

    symbol: str
    as_of: str
    close: float | None = None
    chances: Sequence[float] = ()  # down, sideways, up
    band: float | None = None
    volatility: Sequence[float] = ()  # forecast, low, high
    level: float | None = None  # probability of the interval
    targets: dict[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    pooled: bool = False
    error: str = ""


def row_of(one: Prediction) -> ForecastRow:
    """Return the row of a prediction."""
    row = ForecastRow(one.symbol, _day(one.as_of), one.close, notes=one.notes)
    if (direction := one.direction) is not None:
        chances = direction.probabilities
        row.chances = (chances.down, chances.sideways, chances.up)
        row.band = direction.band.high_return if direction.band else None
        row.targets["direction"] = _target(direction.horizon_bars, direction.target_date)
    if (volatility := one.volatility) is not None:
        row.volatility = (volatility.annualised, volatility.low, volatility.high)
        row.level = volatility.level
        row.targets["volatility"] = _target(volatility.horizon_bars, volatility.target_date)
    if any(forecast.basis == "pooled" for forecast in one.forecasts):
        row.pooled, row.notes = True, (_POOLED, *row.notes)
    if one.error is not None:
        row.error = one.error.message
    return row


def rows_of_run(results: Sequence[KindResult], config: Config) -> list[ForecastRow]:
    """Return the rows of the newest forecasts that a run with this configuration reports."""
    from serving.targets import in_sample_note

    rows: dict[str, ForecastRow] = {}
    for result in results:
        for symbol, found in result.newest.items():
            as_of = datetime.fromisoformat(found["as_of"])
            row = rows.setdefault(symbol, ForecastRow(symbol, _day(as_of), found["close"]))
            seen_to = result.published.get("calibrated_to")
            if seen_to and as_of < (seen := datetime.fromisoformat(seen_to)):
                row.notes = (*row.notes, in_sample_note(result.kind, seen))
            horizon = config.section(result.kind).horizon
            row.targets[result.kind] = _target(horizon, None)
            _FILLED_BY[result.kind](row, found, config)
    return [rows[symbol] for symbol in sorted(rows)]


def _fill_direction(row: ForecastRow, found: Mapping[str, Any], config: Config) -> None:
    import numpy as np

    from features.labels import sideways_band

    row.chances = [found[name] for name in ("down", "sideways", "up")]
    band = sideways_band(np.array([found["ewma_vol"]], np.float64), config.direction.horizon, config.direction.label)
    row.band = float(np.expm1(band[0])) if np.isfinite(band[0]) else None


def _fill_volatility(row: ForecastRow, found: Mapping[str, Any], config: Config) -> None:
    row.volatility = [found[f"volatility{end}"] for end in ("", "_low", "_high")]
    row.level = config.volatility.interval_level


_FILLED_BY = {"direction": _fill_direction, "volatility": _fill_volatility}


def render_forecasts(
    rows: Sequence[ForecastRow], shown: int = SHOWN, symbols: int | None = None
) -> list[RenderableType]:
    """Return what to print: what the forecasts are for, a table of at most ``shown`` symbols, each note once.

    ``symbols`` is how many have a forecast, if ``rows`` are only some of them.
    """
    from rich.table import Table
    from rich.text import Text

    kinds = [kind for kind in ("direction", "volatility") if any(kind in row.targets for row in rows)]
    out: list[RenderableType] = []
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("symbol", no_wrap=True)
    for heading in ("as of", "close"):
        table.add_column(heading, justify="right", no_wrap=True)
    if "direction" in kinds:
        out.append(Text(f"direction: P(down), P(sideways), P(up) over {_common(rows, 'direction')}"))
        for heading in ("down", "side", "up", "band"):
            table.add_column(heading, justify="right", no_wrap=True)
    if "volatility" in kinds:
        levels = {row.level for row in rows if row.level is not None}
        level = f"{100 * levels.pop():g} % " if len(levels) == 1 else ""
        out.append(Text(f"volatility: % a year over {_common(rows, 'volatility')}, {level}interval"))
        table.add_column("vol. %", justify="right", no_wrap=True)
        table.add_column("interval", justify="right", no_wrap=True)
    pooled = any(row.pooled for row in rows[:shown])
    if pooled:
        table.add_column("model", no_wrap=True)
    for row in rows[:shown]:
        basis = [("pooled" if row.pooled else "own") if row.targets else "–"] if pooled else []
        table.add_row(*(Text(cell) for cell in (*_cells(row, kinds), *basis)))
    out.append(table)
    if (left := max(symbols or 0, len(rows)) - min(shown, len(rows))) > 0:
        out.append(Text(f"… and {counted(left, 'more symbol')}"))
    return [*out, *(Text(line) for line in _notes(rows))]


def _cells(row: ForecastRow, kinds: Sequence[str]) -> list[str]:
    cells = [row.symbol, row.as_of, "–" if row.close is None else f"{row.close:,.2f}"]
    if "direction" in kinds:
        cells += [_percent(value) for value in row.chances] or ["–"] * 3
        cells.append("–" if row.band is None else f"±{100 * row.band:.2f}")
    if "volatility" in kinds:
        value, low, high = (_percent(one) for one in row.volatility) if row.volatility else ("–",) * 3
        cells += [value, f"{low}–{high}" if row.volatility else "–"]
    return cells


def _notes(rows: Sequence[ForecastRow]) -> list[str]:
    """Return the first reasons why there is no forecast, then the first notes, each once with its symbols."""
    failed = [(row.symbol, row.error) for row in rows if row.error]
    noted = [(row.symbol, note) for row in rows for note in row.notes]
    return _once("no forecast", "reasons", failed) + _once("note", "notes", noted)


def _once(head: str, what: str, texts: Sequence[tuple[str, str]]) -> list[str]:
    found: dict[str, list[str]] = {}
    for symbol, text in texts:
        found.setdefault(text, []).append(symbol)
    lines = []
    for text, symbols in list(found.items())[:_NOTES]:
        who = ", ".join(symbols[:3]) + (f" and {len(symbols) - 3} more" if len(symbols) > 3 else "")
        lines.append(f"{head}: {who}: {text}")
    left = len(found) - _NOTES
    return lines + ([f"{head}: and {left} more {what} (--json has all)"] if left > 0 else [])


def _common(rows: Sequence[ForecastRow], kind: str) -> str:
    """Return the bars that the forecasts of a kind are for, with their last date if it is the same for all."""
    targets = {row.targets[kind] for row in rows if kind in row.targets}
    return targets.pop() if len(targets) == 1 else f"{min(targets).partition(' (')[0]} of each symbol"


def _target(horizon: int, date: Any) -> str:
    bars = "the next bar" if horizon == 1 else f"the next {horizon} bars"
    return bars if date is None else f"{bars} (to {_day(date)})"


def _day(date: Any) -> str:
    if date is None:
        return "–"
    return f"{date:%Y-%m-%d}" if not (date.hour or date.minute) else f"{date:%Y-%m-%d %H:%M}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"

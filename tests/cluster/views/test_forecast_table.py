"""The table of newest forecasts marks pooled symbols and counts those that it leaves out."""

from datetime import datetime

from rich.console import Console

from cluster.views.forecast_table import ForecastRow, render_forecasts, row_of
from serving.answers import Failure, Prediction, VolatilityForecast


def printed(rows, **options) -> str:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))
    for part in render_forecasts(rows, **options):
        console.print(part)
    return console.export_text()


def forecast(symbol, basis) -> Prediction:
    found = VolatilityForecast(0.2, 0.1, 0.3, 0.9, 5, "5 trading days", 252.0, "v", basis)
    return Prediction(symbol, datetime(2024, 1, 2), 10.0, volatility=found)


def test_pooled_symbols_are_marked_with_a_note():
    failed = Prediction("BAD", error=Failure("no_bars", "prices step"))
    text = printed([row_of(one) for one in (forecast("OWN", "own"), forecast("NEW", "pooled"), failed)])
    own, new, bad = (
        next(line for line in text.splitlines() if line.startswith(name)) for name in ("OWN", "NEW", "BAD")
    )
    assert own.split()[-1] == "own" and new.split()[-1] == "pooled" and "own" not in bad
    assert "note: NEW: no model was trained on it" in text and "no forecast: BAD: prices step" in text
    assert "pooled" not in printed([row_of(forecast("OWN", "own"))])


def test_symbols_that_are_not_shown_are_counted():
    rows = [ForecastRow(f"S{i}", "2024-01-02", targets={"volatility": "the next 5 bars"}) for i in range(20)]
    assert "more" not in printed(rows)
    assert "… and 2 more symbols" in printed(rows, symbols=22)
    assert "… and 12 more symbols" in printed(rows, shown=10, symbols=22)
    assert "… and 1 more symbol\n" in printed(rows, shown=19)

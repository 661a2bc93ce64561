"""The tear sheet of a backtest: one HTML page that needs no network."""

from training.backtesting.report.page import render

__all__ = ["render"]

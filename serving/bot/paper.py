"""A broker that fills orders as a backtest does."""

from __future__ import annotations


class PaperBroker:
    """The simulated account: fills in the symbol's next bar, at the costs of ``config.backtest``."""

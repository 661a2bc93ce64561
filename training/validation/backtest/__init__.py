"""A backtest's accounting: targets in, orders, costs and equity out. No model and no strategy is in here."""

"""The trading bot: forecasts, signals and orders of each closed bar, exactly once."""

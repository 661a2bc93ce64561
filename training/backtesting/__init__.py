"""Backtests of forecasts: what they read, what they are compared with, what is simulated, and their result."""

"""Fit, evaluate and keep fleets of direction and volatility models."""

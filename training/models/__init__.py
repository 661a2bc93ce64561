"""Fleets of models, each with a leading symbol axis: networks, volatility members, linear models, calibration."""

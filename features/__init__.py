"""Bars in, causal features and windows out. Knows neither TensorFlow nor Ray."""

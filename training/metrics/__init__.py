"""Metrics with standard errors clustered by day."""

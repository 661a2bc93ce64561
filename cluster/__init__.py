"""Composition root: the command line, and where things run. Nothing imports this package."""

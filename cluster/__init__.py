"""Composition root: the command line, Ray, Serve, jobs and manifests. No other package imports it."""

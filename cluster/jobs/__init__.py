"""Commands as jobs of a remote cluster."""

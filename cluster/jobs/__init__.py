"""Commands that run as jobs of a remote cluster."""

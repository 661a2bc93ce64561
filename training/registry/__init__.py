"""Versions of models: blocks on disk, manifests that appear last, aliases that move atomically."""

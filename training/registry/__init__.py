"""Versions of models: blocks on disk, manifests that are written last, aliases that are replaced atomically."""

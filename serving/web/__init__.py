"""The HTTP side of serving: bodies, keys, limits, batching and routes."""

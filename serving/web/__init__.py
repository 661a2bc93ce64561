"""The HTTP interface of serving: routes, bodies, keys, limits, batching, shards and the page."""

"""The newest date of a view, updated bar by bar and equal, bit for bit, to that of a complete view."""

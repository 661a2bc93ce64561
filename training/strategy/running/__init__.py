"""The newest date of a view, kept up to date bar by bar, equal to that of the whole view bit for bit."""

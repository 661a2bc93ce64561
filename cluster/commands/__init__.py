"""One verb a file; heavy imports stand inside the bodies, so that ``--help`` is instant."""

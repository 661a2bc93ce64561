"""One file per family of features. :mod:`features.catalog` finds each module's ``SPEC``; to add one, add a file."""

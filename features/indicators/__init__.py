"""Feature families, one per module; :mod:`features.catalog` finds each module's ``SPEC``."""

"""The strategies: each module is one and declares it as ``SPEC``."""

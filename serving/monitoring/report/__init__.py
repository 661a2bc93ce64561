"""The page of ``fleetcast monitor --html``."""

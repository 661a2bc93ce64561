"""Reading bars: container → table → header → columns → numbers → times → sessions, each decided in one module."""

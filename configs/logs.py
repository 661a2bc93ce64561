"""Log lines of Fleetcast's packages: one format, one level, on stderr."""

from __future__ import annotations

import logging
import os
import sys

from configs.errors import ConfigError

LOG_VARIABLE = "FLEETCAST_LOG"
"""The environment variable that names the level; Ray workers read it too."""

_PACKAGES = ("configs", "features", "training", "tuning", "serving", "cluster")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the present ``sys.stderr``: a live progress bar replaces it, and prints lines above the bar."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


_HANDLER = _StderrHandler()
_HANDLER.setFormatter(logging.Formatter(_FORMAT))


def configure_logging(verbose: bool = False) -> None:
    """Write log lines of Fleetcast's packages to stderr, at the level that ``FLEETCAST_LOG`` names or above.

    The default is WARNING.

    Parameters
    ----------
    verbose
        Lower a higher level to INFO.

    Raises
    ------
    ConfigError
        ``FLEETCAST_LOG`` names no level.
    """
    name = os.environ.get(LOG_VARIABLE) or "WARNING"
    if name.upper() not in _LEVELS:
        raise ConfigError(f"{LOG_VARIABLE}={name!r} is not a log level. Give one of: {', '.join(_LEVELS)}.")
    level = logging.getLevelNamesMapping()[name.upper()]
    for package in _PACKAGES:
        logger = logging.getLogger(package)
        logger.setLevel(min(level, logging.INFO) if verbose else level)
        logger.addHandler(_HANDLER)  # a second time changes nothing


def configure_worker_logging() -> None:
    """Configure a Ray worker, whose root logger has a handler of Ray's that would write every line again."""
    configure_logging()
    for package in _PACKAGES:
        logging.getLogger(package).propagate = False


def log_environment() -> dict[str, str]:
    """Return the environment variables that make another process log as this one does; none above level INFO."""
    level = logging.getLogger(__name__).getEffectiveLevel()
    if level > logging.INFO:
        return {}
    return {LOG_VARIABLE: "INFO" if level == logging.INFO else "DEBUG"}

"""The level of log lines: from the environment or ``--verbose``, for this process and those that it starts."""

import logging

import pytest

from configs.errors import ConfigError
from configs.logs import configure_logging, log_environment


@pytest.fixture(autouse=True)
def default_again(monkeypatch):
    yield
    monkeypatch.delenv("FLEETCAST_LOG", raising=False)
    configure_logging()


@pytest.mark.parametrize(
    ("variable", "verbose", "level"),
    [
        ("", False, logging.WARNING),
        ("debug", False, logging.DEBUG),
        ("ERROR", False, logging.ERROR),
        ("", True, logging.INFO),
        ("DEBUG", True, logging.DEBUG),
        ("ERROR", True, logging.INFO),
    ],
)
def test_the_level_is_the_variables_and_verbose_lowers_it_to_info(variable, verbose, level, monkeypatch):
    monkeypatch.setenv("FLEETCAST_LOG", variable)
    configure_logging(verbose)
    assert {logging.getLogger(name).getEffectiveLevel() for name in ("training.run.worker", "cluster.cli")} == {level}
    assert log_environment() == ({"FLEETCAST_LOG": logging.getLevelName(level)} if level <= logging.INFO else {})


def test_a_line_is_written_once_to_the_present_stderr(capsys):
    configure_logging()
    configure_logging(verbose=True)
    logging.getLogger("features.store.lake").info("read %d rows", 3)
    logging.getLogger("features.store.lake").debug("no line")
    out, err = capsys.readouterr()
    [line] = err.splitlines()
    assert line.endswith(" INFO features.store.lake: read 3 rows") and out == ""


def test_an_unknown_level_is_an_error_that_lists_the_levels(monkeypatch):
    monkeypatch.setenv("FLEETCAST_LOG", "LOUD")
    with pytest.raises(ConfigError, match=r"FLEETCAST_LOG='LOUD' is not a log level\. Give one of: DEBUG, INFO"):
        configure_logging()

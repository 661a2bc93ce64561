"""Options that a command has and another use of it would ignore."""

from __future__ import annotations

from collections.abc import Mapping

from configs.errors import ConfigError


def refuse_given(options: Mapping[str, object], why: str) -> None:
    """Refuse options that this use of a command would ignore.

    Parameters
    ----------
    options
        The value of each option by name; ``None`` if it was not given.
    why
        What the option is for and what to do instead; it follows the option's name.

    Raises
    ------
    ConfigError
        An option was given.
    """
    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"{name} {why}. Leave out {name}, or see --help.")

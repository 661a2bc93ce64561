"""What options of several commands have in common."""

from __future__ import annotations

from configs.errors import ConfigError


def names(option: str, text: str) -> list[str]:
    """Return names separated by commas; none at all is a mistake, such as a shell variable that is not set.

    Raises
    ------
    ConfigError
        There is no name.
    """
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise ConfigError(f"{option} {text!r} names nothing. Give names separated by commas, or leave it out.")
    return found

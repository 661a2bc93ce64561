"""Options that several commands share: names, configuration, durations, secrets, interruption."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, get_args
from urllib.parse import parse_qs, urlsplit

from configs.errors import ConfigError

if TYPE_CHECKING:
    from configs.schema import Config
    from configs.values import Kind

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def names(option: str, text: str) -> list[str]:
    """Split names separated by commas.

    Raises
    ------
    ConfigError
        There is no name, for example because a shell variable is not set.
    """
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise ConfigError(f"{option} {text!r} names nothing. Give names separated by commas, or leave it out.")
    return found


def resolved_config(
    preset: str | None, file: str | None, bars: str | None, symbols: str | None, overrides: Sequence[str]
) -> Config:
    """Return the configuration of a command that reads bars; without a preset, bars of the user's own are equities.

    Raises
    ------
    ConfigError
        As :func:`configs.load.load_config` does, or ``symbols`` names nothing.
    """
    from configs.load import load_config

    given = list(overrides)
    if bars is not None:
        is_name = bars in ("lake", "embedded") or "://" in bars
        given.append(f"data.bars={json.dumps(bars if is_name else str(Path(bars).expanduser().absolute()))}")
    given += [f"data.symbols={json.dumps(names('--symbols', symbols))}"] if symbols is not None else []
    return load_config(preset or ("demo" if bars in (None, "embedded") else "equities"), file, given)


def duration_s(option: str, text: str) -> float:
    """Return the seconds of a duration such as ``90s``, ``30m`` or ``1.5h``.

    Raises
    ------
    ConfigError
        The text is not a duration.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if found is None or not float(found[1]):
        raise ConfigError(f"{option} {text!r} is not a duration. Give one such as 90s, 30m or 2h.")
    return float(found[1]) * _SECONDS[found[2]]


def holds_secret(text: str) -> bool:
    """Whether a text contains a URL with a password, before its host or among its parameters."""
    for url in re.findall(r"[a-z][a-z0-9+.-]*://[^\s'\"]+", text, re.IGNORECASE):
        try:
            parts = urlsplit(url)
        except ValueError:  # not a URL, which the code that opens it reports
            continue
        if parts.password or any("pass" in key.lower() or "secret" in key.lower() for key in parse_qs(parts.query)):
            return True
    return False


def kind_named(text: str) -> Kind:
    """Return the kind of model with this name; ``ConfigError`` if there is none."""
    from configs.values import Kind

    for kind in get_args(Kind):
        if text.strip() == kind:
            return kind  # type: ignore[no-any-return]
    raise ConfigError(f"--kind {text!r} is not a kind of model. Give {' or '.join(get_args(Kind))}.")


@contextmanager
def interruptible(message: str) -> Iterator[None]:
    """On SIGINT or SIGTERM, print ``interrupted`` and ``message``, and exit with the code that shells expect."""
    received = [signal.SIGINT]

    def end(number: int, frame: FrameType | None) -> None:
        received[0] = signal.SIGTERM
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted{message}", file=sys.stderr)
        raise SystemExit(128 + received[0]) from None
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)

"""Options that several commands share: names, configuration, durations, secrets, interruption."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, get_args
from urllib.parse import parse_qs, urlsplit

from configs.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from configs.layers import Layer
    from configs.schema import Config
    from configs.values import Kind
    from features.store.store import Store

DEFAULT_STORE = ".fleetcast"
_MOST_LAG_DAYS = 10_000
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


def fetched_items(
    source: str, wanted: str, symbols: str | None, series: str | None, places: Sequence[str] | None
) -> list[str]:
    """Return what is to be fetched: the value of the option that the source reads (``symbols``, ``series``, ``place``).

    Raises
    ------
    ConfigError
        That option is missing, or another one is given.
    """
    given = {"symbols": symbols, "series": series, "place": places or None}
    others = [name for name, value in given.items() if value is not None and name != wanted]
    if others or given[wanted] is None:
        instead = f", but --{others[0]} is given" if others else ", but none is given"
        raise ConfigError(f"source {source!r} needs --{wanted}{instead}. Name what to fetch with --{wanted}.")
    return list(places or ()) if wanted == "place" else names(f"--{wanted}", symbols or series or "")


def day_of(given: datetime | None) -> date | None:
    """Return the day of an option, or None without one."""
    return None if given is None else given.date()


def resolved_config(
    preset: str | None,
    file: str | None,
    bars: str | Sequence[str] | None,
    symbols: str | None,
    overrides: Sequence[str | Layer],
) -> Config:
    """Return the configuration of a command that reads bars; without a preset, the bars decide on it.

    Raises
    ------
    ConfigError
        As :func:`configs.load.load_config` does, ``symbols`` names nothing, or a kind of model cannot be made so.
    """
    from configs.layers import of_option
    from configs.load import load_config

    given = list(overrides)
    if bars:
        wanted = [bars_named(one) for one in ([bars] if isinstance(bars, str) else bars)]
        given.append(of_option(f"--bars {wanted[0]}", "data.bars", wanted if len(wanted) > 1 else wanted[0]))
    if symbols is not None:
        given.append(of_option(f"--symbols {symbols}", "data.symbols", names("--symbols", symbols)))
    config = load_config(preset, file, given)
    from training.tasks import catalog  # loads numpy, which other mistakes do not wait for

    for task in catalog().values():
        task.check(config)
    return config


def bars_given(bars: str | None, more: Sequence[str] | None) -> list[str]:
    """Return the paths of ``--bars``: a shell that expands a glob leaves all but the first as arguments.

    Raises
    ------
    ConfigError
        There are arguments that are no values of ``--bars``.
    """
    if more and bars is None:
        raise ConfigError(f"{more[0]!r} is not an option. Give bars with --bars, and see --help for the options.")
    absent = [path for path in more or () if not _is_place(path)]
    if absent:
        raise ConfigError(f"{absent[0]!r} after --bars is neither an option nor an existing file. Check the path.")
    return [] if bars is None else [bars, *(more or ())]


def bars_named(text: str) -> str:
    """Return a source's name or URI as it is, and a path as an absolute one."""
    is_name = text in ("lake", "embedded") or "://" in text
    return text if is_name else str(Path(text).expanduser().absolute())


def _is_place(text: str) -> bool:
    return "://" in text or Path(text).expanduser().exists()


def check_store(store: Store, given: str) -> None:
    """Check that a store that was named exists; the default one may be missing, which means that it is empty.

    Raises
    ------
    StoreError
        There is no such folder.
    """
    if store.is_local and given != DEFAULT_STORE and not Path(store.root).is_dir():
        raise StoreError(
            f"there is no store at {given!r}. Check --store, or make one: fleetcast data import, or train."
        )


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


def day_named(option: str, text: str) -> datetime:
    """Return the beginning of a day such as ``2026-01-31``, UTC.

    Raises
    ------
    ConfigError
        The text is not a day.
    """
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r} is not a day. Give one such as 2026-01-31.") from error


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
    except (KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, SystemExit):
            if error.code != signal.SIGTERM:
                raise
            received[0] = signal.SIGTERM  # while Ray starts, its own handler is in place
        print(f"interrupted{message}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(128 + received[0])  # to free millions of objects takes seconds
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def days_by_name(option: str, given: Sequence[str]) -> dict[str, int]:
    """Return ``NAME=DAYS`` as a mapping; :class:`ConfigError` for another form."""
    found = dict[str, int]()
    for text in given:
        name, _, days = text.rpartition("=")
        if not name or not days.isdecimal() or int(days) > _MOST_LAG_DAYS:
            raise ConfigError(f"{option} has {text!r}; expected NAME=DAYS, such as CPIAUCSL=45 (at most 10,000 days).")
        found[name] = int(days)
    return found

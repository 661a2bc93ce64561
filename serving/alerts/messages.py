"""The text of a message: alerts by event, cut to the length that a service takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from configs.alerts import Severity
from configs.words import counted
from serving.alerts.channel import Message
from serving.alerts.events import EVENTS, SEVERITIES, Phase, one_line

_MARKS: dict[Severity, str] = {"info": "🔵", "warning": "🟠", "critical": "🔴"}
_RESOLVED = "🟢"
_MAX_SUBJECT = 150
_MENTIONED = 5
_PHASES: tuple[Phase, ...] = ("raised", "repeated", "resolved")
_LEAST_TEXT = 1000
_SHORT = 80


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert as it is stored; ``since`` is when its condition began."""

    id: str
    bot: str
    event: str
    key: str
    severity: Severity
    phase: Phase
    at: datetime
    since: datetime
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """Messages before this one: those that may not have arrived, and how many alerts expired before they were sent."""

    unconfirmed: Sequence[Entry] = ()
    expired: int = 0


def compose(
    entries: Sequence[Entry], number: str, limit: int, earlier: Earlier | None = None, *, silent: bool = False
) -> Message:
    """Return the message with these alerts, whose text has at most ``limit`` UTF-16 units.

    Every event has its heading and the number of its alerts. If the alerts do not fit, their further texts are left
    out, then titles; a line says how many, and the last one how to list all. The text contains ``number``.

    Raises
    ------
    ValueError
        There is no alert, or the limit is below 1,000.
    """
    if not entries or limit < _LEAST_TEXT:
        raise ValueError(f"{len(entries)} alerts in {limit} units; expected at least 1 alert and {_LEAST_TEXT} units")
    sections = _sections(entries)
    headings = [_heading(section) for section in sections]
    lines = [[_line(one) for one in section] for section in sections]
    full = _text(
        headings,
        [
            [part for one, line in zip(section, found, strict=True) for part in (line, *_paragraph(one))]
            for section, found in zip(sections, lines, strict=True)
        ],
        _footer(entries, number, earlier or Earlier(), shortened=False),
    )
    if utf16_length(full) > limit:
        footer = _footer(entries, number, earlier or Earlier(), shortened=True)
        fitted = _fitted(headings, lines, limit - utf16_length(footer))
        if len(entries) == 1:
            room = limit - utf16_length(_text(headings, fitted, footer)) - 1
            fitted[0] += [cut(part, room) for part in _paragraph(entries[0])]
        full = _text(headings, fitted, footer)
    subject = f"[{entries[0].bot}] " + ", ".join(headings)
    worst = max((one.severity for one in entries), key=SEVERITIES.index)
    return Message(number, one_line(subject, _MAX_SUBJECT), full, worst, silent)


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 units, in which Telegram counts.

    Examples
    --------
    >>> utf16_length("up"), utf16_length("🟢")
    (2, 2)
    """
    return len(text.encode("utf-16-le")) // 2


def cut(text: str, units: int) -> str:
    """Return a text of at most this many UTF-16 units; a shorter one ends with an ellipsis."""
    if utf16_length(text) <= units:
        return text
    kept = text.encode("utf-16-le")[: 2 * max(units - 1, 0)].decode("utf-16-le", "ignore")
    return f"{kept}…" if units > 0 else ""


def _sections(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Return alerts by phase and event, the most severe first, resolved ones last."""
    found: dict[tuple[Phase, str], list[Entry]] = {}
    for entry in sorted(entries, key=lambda one: (one.at, one.key, one.id)):
        found.setdefault((entry.phase, entry.event), []).append(entry)
    events = list(EVENTS)

    def order(item: tuple[tuple[Phase, str], list[Entry]]) -> tuple[bool, int, int, int]:
        (phase, event), section = item
        worst = max(SEVERITIES.index(one.severity) for one in section)
        return phase == "resolved", -worst, _PHASES.index(phase), events.index(event)

    return [section for _, section in sorted(found.items(), key=order)]


def _heading(section: Sequence[Entry]) -> str:
    first = section[0]
    worst = max((one.severity for one in section), key=SEVERITIES.index)
    mark = _RESOLVED if first.phase == "resolved" else _MARKS[worst]
    state = {"raised": "", "repeated": "Still: ", "resolved": "Resolved: "}[first.phase]
    number = f" ({len(section):,})" if len(section) > 1 else ""
    return f"{mark} {state}{EVENTS[first.event].heading}{number}"


def _line(entry: Entry) -> str:
    since = f" (since {_time(entry.since)})" if entry.phase != "raised" else ""
    return f"{entry.title}{since}"


def _paragraph(entry: Entry) -> list[str]:
    return [entry.body] if entry.body and entry.phase != "resolved" else []


def _footer(entries: Sequence[Entry], number: str, earlier: Earlier, *, shortened: bool) -> str:
    times = sorted({_time(one.at) for one in entries})
    when = times[0] if len(times) == 1 else f"{times[0]} to {times[-1]}"
    lines = [f"Bot {one_line(entries[0].bot, _SHORT)}, {when}"]
    if earlier.unconfirmed:
        lines.append("Earlier messages without confirmation, which may be missing:")
        lines += [f"- {one_line(_line(one), _SHORT)}, id {one.id[:8]}" for one in earlier.unconfirmed[:_MENTIONED]]
        more = len(earlier.unconfirmed) - _MENTIONED
        lines += [f"- and {more:,} more: fleetcast alerts list --state unknown"] if more > 0 else []
    if earlier.expired:
        are = counted(earlier.expired, "earlier alert")
        lines.append(f"{are} could not be sent in time: fleetcast alerts list --state failed")
    if shortened:
        lines.append(f"All {len(entries):,}: fleetcast alerts list --id {number[:8]}")
    return "\n\n" + "\n".join([*lines, f"id {number}"])


def _fitted(headings: Sequence[str], lines: Sequence[Sequence[str]], room: int) -> list[list[str]]:
    """Return the lines of each section that fit; sections share the room, and leave what they do not need."""
    room -= sum(utf16_length(heading) + 2 for heading in headings)
    found = []
    for i, section in enumerate(lines):
        share = room // (len(lines) - i)
        shown = _first(section, share)
        room -= sum(utf16_length(line) + 1 for line in shown)
        found.append(shown)
    return found


def _first(section: Sequence[str], room: int) -> list[str]:
    """Return the first lines that fit, and a last one that says how many more there are."""
    if sum(utf16_length(line) + 1 for line in section) <= room:
        return list(section)
    shown: list[str] = []
    for line in section:
        rest = f"and {len(section) - len(shown) - 1:,} more"
        need = utf16_length(line) + 1 + utf16_length(rest) + 1
        if need > room:
            break
        shown.append(line)
        room -= utf16_length(line) + 1
    return [*shown, f"and {len(section) - len(shown):,} more" if shown else f"{len(section):,} alerts"]


def _text(headings: Sequence[str], lines: Sequence[Sequence[str]], footer: str) -> str:
    parts = ["\n".join([heading, *section]) for heading, section in zip(headings, lines, strict=True)]
    return "\n\n".join(parts) + footer


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

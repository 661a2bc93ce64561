"""The time between two runs of a cron schedule."""

from __future__ import annotations

import re

from configs.errors import ConfigError

_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAYS = {spelled: number for number, name in enumerate(_NAMES) for spelled in (name, str(number))}
_SUMMER_TIME_H = 1


def smallest_gap_h(schedule: str) -> int:
    """Return the fewest hours between two runs; a day on which clocks go forward has 23.

    Raises
    ------
    ConfigError
        The schedule is not one time on every day or on given days of the week.
    """
    found = re.fullmatch(r"[0-5]?\d (?:[01]?\d|2[0-3]) \* \* (\*|[\w,]+)", schedule.strip())
    asked = [] if found is None else list("0123456") if found[1] == "*" else found[1].lower().split(",")
    if not asked or not set(asked) <= _DAYS.keys():
        raise ConfigError(
            f"deploy.schedule={schedule!r} is not understood. Give minute, hour, * * and days of the week, such as "
            "'0 6 * * 6' (Saturdays at six) or '30 22 * * mon,thu'."
        )
    days = sorted({_DAYS[one] for one in asked})
    following = [*days[1:], days[0] + 7]
    return 24 * min(after - before for before, after in zip(days, following, strict=True)) - _SUMMER_TIME_H

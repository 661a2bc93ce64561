"""What the checks of a walk-forward run found, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from configs.errors import shortened
from configs.words import counted
from training.walk_checks import Checks


def check_sentences(checks: Checks) -> Iterator[str]:
    """Yield a sentence for each check of each kind of model."""
    for kind, found in checks.look_ahead.items():
        where = f"{found.compared:,} values of {counted(found.columns, 'column')} at {counted(found.cuts, 'date')}"
        if found.leaks:
            for leak in found.leaks:
                times = counted(leak.count, "time")
                yield f"USES THE FUTURE: {kind}, {leak.column} differs {times}, first for {leak.symbol} on {leak.date}"
        else:
            yield f"{kind}: {where} are equal bit for bit when later bars are cut off: none uses the future"
    for kind, again in checks.refitted.items():
        what = f"window {again.window}, fitted again in an empty store on bars that end with it"
        if again.different:
            yield f"USES THE FUTURE: {kind}, {what}, has {again.different:,} other forecasts of {again.compared:,}"
        else:
            yield f"{kind}: {what}, has the same {again.compared:,} forecasts bit for bit"
    for kind, needed in checks.history.items():
        forecasts = [length for name, length in needed.items() if name.startswith("forecast[")]
        features = {name: length for name, length in needed.items() if not name.startswith("forecast[")}
        yield f"{kind}: {_bars(forecasts)} for a forecast; features: {_by_length(features)}"


def _bars(lengths: list[int | None]) -> str:
    if not lengths:
        return "no model can tell how many bars are needed"
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths):
        return "more bars than the longest history that was tried"
    return f"{counted(max(known), 'bar')} are enough"


def _by_length(features: dict[str, int | None]) -> str:
    counts = Counter(length for length in features.values() if length is not None)
    parts = [f"{count} need at most {length}" for length, count in sorted(counts.items())]
    if longer := sorted(name for name, length in features.items() if length is None):
        parts.append(f"{len(longer)} need more ({shortened(longer)})")
    return ", ".join(parts)

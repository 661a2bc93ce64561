"""The health of a snapshot: what is served, how old it is, and what could not be loaded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from configs.words import counted
from serving.snapshot import Snapshot, stale_problems


def health_of(snapshot: Snapshot, problem: str = "") -> dict[str, Any]:
    """Return whether forecasts are available and up to date; ``problem`` is why the store's newest is not served.

    ``status`` is ``ok``; ``degraded`` if the store has something that could not be loaded, if bars are missing, or if
    features count as missing; or else ``stale`` if bars are, as ``serve.max_age_days`` says. ``problems`` has the
    reasons; ``models_loaded`` counts the models of symbols.
    """
    now = datetime.now(UTC)
    newest, stale = snapshot.newest_date, snapshot.stale_symbols()
    age_days = None if newest is None else round((now.replace(tzinfo=None) - newest).total_seconds() / 86400, 2)
    missing = snapshot.bars.missing
    problems = [problem] if problem else []
    problems += sorted({windows.note for windows in snapshot.windows.values() if windows.note})
    if missing:
        first = next(iter(missing))
        problems.append(f"{counted(len(missing), 'symbol')} without usable bars, such as {first}: {missing[first]}")
    status = "degraded" if problems else "stale" if stale else "ok"
    return {
        "status": status,
        "problems": problems + stale_problems(stale, len(snapshot.last_bars) - len(snapshot.unfitted)),
        "models_loaded": sum(len(fleet.position) for fleet in snapshot.fleets.values()),
        "models": {
            kind: {
                "version": fleet.version,
                "symbols": len(fleet.position),
                "age_days": round((now - fleet.created).total_seconds() / 86400, 2),
            }
            for kind, fleet in snapshot.fleets.items()
        },
        "bars": {
            "source": snapshot.bars.name,
            "symbols": len(snapshot.last_bars),
            "newest": newest.isoformat() if newest else None,
            "age_days": age_days,
            "stale_symbols": len(stale),
        },
        "loaded": snapshot.loaded.isoformat(timespec="seconds"),
    }

"""Fetch new bars into the lake, as ``fleetcast data fetch`` does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from configs.errors import DataError, shortened
from configs.words import counted
from features.lake_import import import_bars
from features.sources import open_source
from features.store.lake import Lake
from serving.bot.schedule import Due
from serving.bot.services import Services
from serving.bot.task import TaskSpec

_TOGETHER = 50  # symbols of one import, between which the task may end


def _run(services: Services, due: Due) -> str:
    """Fetch the symbols, those with the oldest newest bar first; some may fail.

    Raises
    ------
    DataError
        No symbol could be fetched.
    """
    config, store = services.config.bot.fetch, services.manager.store
    if config.source is None:
        return "bot.fetch.source is null: nothing is fetched"
    starts = _starts(services)
    added, missing, failed = 0, dict[str, str](), list[str]()
    by_start = sorted(starts, key=lambda symbol: (starts[symbol], symbol))
    groups = [by_start[first : first + _TOGETHER] for first in range(0, len(by_start), _TOGETHER)]
    for group in groups:
        if services.stopped():
            break
        start = min(starts[symbol] for symbol in group)
        try:
            found = import_bars(open_source(config.source, store), store, group, start)
        except DataError as error:
            failed.append(str(error))
            continue
        added += sum(one.added for one in found.appended)
        missing |= found.missing
    if failed and len(failed) == len(groups):
        raise DataError(failed[0])
    text = f"{counted(added, 'new bar')} of {counted(len(starts) - len(missing), 'symbol')}"
    if missing:
        name = next(iter(missing))
        text += f"; none of {shortened(sorted(missing))}, such as {name}: {missing[name]}"
    return text + (f"; {failed[0]}" if failed else "")


def _starts(services: Services) -> dict[str, date]:
    """Return the first day to fetch, by symbol: some days before its newest bar, which the source may have revised."""
    config = services.config.bot.fetch
    lake = Lake(services.manager.store)
    stored = {one.symbol: one.last.date() for one in lake.info()}
    wanted: Sequence[str] = config.symbols or sorted(stored) or _of_models(services)
    if not wanted:
        raise DataError("there is nothing to fetch: the lake is empty and there are no models. Set bot.fetch.symbols.")
    starts: dict[str, date] = {}
    for symbol in dict.fromkeys(wanted):
        newest = stored.get(symbol)
        starts[symbol] = config.start if newest is None else newest - timedelta(days=config.overlap_days)
    return starts


def _of_models(services: Services) -> list[str]:
    from serving.fleets import resolve_versions

    manager = services.manager
    versions = resolve_versions(manager, "champion")
    return sorted({symbol for kind, version in versions.items() for symbol in manager.roster(kind, version).symbols()})


SPEC = TaskSpec(
    name="fetch",
    title="new bars into the lake",
    place=10,
    schedule="every 10m",
    run=_run,
)

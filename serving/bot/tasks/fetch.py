"""Fetch new bars into the lake, as ``fleetcast data fetch`` does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from configs.errors import DataError, StoreError, shortened
from configs.words import counted
from features.lake_import import import_bars
from features.sources import open_source
from features.store.lake import Lake
from features.store.store import Store
from serving.bot.schedule import Due
from serving.bot.task import TaskSpec
from serving.bot.task_services import Services

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
    starts, missing = _starts(services)
    added, failed = 0, list[str]()
    by_start = sorted(starts, key=lambda symbol: (starts[symbol], symbol))
    groups = [by_start[first : first + _TOGETHER] for first in range(0, len(by_start), _TOGETHER)]
    for group in groups:
        if services.stopped():
            break
        start = min(starts[symbol] for symbol in group)
        try:
            found = _imported(config.source, store, group, start)
        except DataError as error:
            failed.append(str(error))
            continue
        added += found[0]
        missing |= found[1]
    if failed and len(failed) == len(groups):
        raise DataError(failed[0])
    text = f"{counted(added, 'new bar')} of {counted(len(starts.keys() - missing.keys()), 'symbol')}"
    if missing:
        name = next(iter(missing))
        text += f"; none of {shortened(sorted(missing))}, such as {name}: {missing[name]}"
    return text + (f"; {failed[0]}" if failed else "")


def _imported(spec: str, store: Store, symbols: Sequence[str], start: date) -> tuple[int, dict[str, str]]:
    """Return how many bars are new, and why symbols have none; a damaged file in the lake stops its symbol only."""
    try:
        found = import_bars(open_source(spec, store), store, symbols, start)
    except StoreError:
        if len(symbols) == 1:
            raise
    else:
        return sum(one.added for one in found.appended), dict(found.missing)
    added, missing = 0, dict[str, str]()
    for symbol in symbols:
        try:
            one = _imported(spec, store, [symbol], start)
        except (DataError, StoreError) as error:
            missing[symbol] = str(error)
            continue
        added += one[0]
        missing |= one[1]
    if len(missing) == len(symbols):
        raise DataError(missing[symbols[0]])
    return added, missing


def _starts(services: Services) -> tuple[dict[str, date], dict[str, str]]:
    """Return the first day to fetch, by symbol, and why files of symbols cannot be read.

    It is some days before the newest bar, because the source may have revised the last ones.
    """
    config = services.config.bot.fetch
    lake = Lake(services.manager.store)
    today = services.clock().date()
    stored, damaged = dict[str, date](), dict[str, str]()
    for name in lake.symbols():
        try:
            stored[name] = min(lake.info_of(name).last.date(), today)  # a wrong bar may be of the future
        except StoreError as error:
            damaged[name] = str(error)
    wanted: Sequence[str] = config.symbols or sorted(stored) or _of_models(services)
    if not wanted:
        raise DataError("there is nothing to fetch: the lake is empty and there are no models. Set bot.fetch.symbols.")
    starts: dict[str, date] = {}
    for symbol in dict.fromkeys(wanted):
        if symbol in damaged:
            continue
        newest = stored.get(symbol)
        starts[symbol] = config.start if newest is None else newest - timedelta(days=config.overlap_days)
    return starts, {name: reason for name, reason in damaged.items() if not config.symbols or name in config.symbols}


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

"""Checks of a store, its models and bars, and a cluster's nodes, each with a remedy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from cluster.jobs.node_check import examine, free_gib, is_missing, probe
from cluster.session import connect
from configs.errors import ClusterError, ConfigError, FleetcastError
from configs.load import validated
from configs.words import counted
from features.store.lake import Lake
from features.store.store import Store
from training.registry.manager import ModelManager
from training.tasks import task_of

_MIN_FREE_GIB, _MAX_SKEW_S, _MAX_BEHIND_DAYS = 1.0, 5.0, 7
_NODE_TIMEOUT_S = 120.0
_FREE = "Free some space on its disk: `fleetcast models prune` deletes old versions and what unfinished runs left."
_MAX_JUDGED = 50  # symbols of a source other than the lake that are read


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: its subject, state and finding, and a remedy if the state is not ``ok``."""

    check: str
    state: Literal["ok", "warning", "problem"]
    found: str
    remedy: str = ""


def check_installation(uri: str, address: str | None) -> Iterator[Finding]:
    """Yield findings on the store, its models and bars, and every node of the cluster."""
    problem, disk_full = probe(uri)
    if problem:
        remedy = _FREE if disk_full else "Give a store that can be written, with --store."
        yield Finding("store", "problem", problem, remedy)
        if disk_full:  # what is there can be read
            yield from _content(Store(uri))
    elif is_missing(uri):
        remedy = "Check --store, or make it: `fleetcast data import` or `fleetcast train`."
        yield Finding("store", "warning", f"there is none at {uri}", remedy)
    else:
        store = Store(uri)
        yield from _space(store)
        yield from _content(store)
    try:
        with connect(address):
            yield from _nodes(uri)
    except ClusterError as error:
        yield Finding("cluster", "problem", str(error), "Start Ray, or give another --address.")


def _content(store: Store) -> Iterator[Finding]:
    yield from _models(store)
    yield from _bars(store)
    yield from _source_bars(store)


def _space(store: Store) -> Iterator[Finding]:
    if not store.is_local:
        yield Finding("store", "ok", f"{store.uri} can be written and read")
        return
    free = free_gib(store.root)
    if free < _MIN_FREE_GIB:
        yield Finding("store", "warning", f"{free:.2f} GiB are free at {store.uri}", _FREE)
    else:
        yield Finding("store", "ok", f"{store.uri} can be written and read; {free:.1f} GiB are free")


def _models(store: Store) -> Iterator[Finding]:
    manager = ModelManager(store)
    kinds = manager.kinds()
    if not kinds:
        yield Finding("models", "warning", "there are none", "Train some: `fleetcast train`.")
    for kind in kinds:
        try:
            champion = manager.aliases(kind).champion
            if champion is None:
                yield Finding("models", "warning", f"{kind}: no champion", "Choose one: `fleetcast models promote`.")
                continue
            manifest = manager.manifest(kind, champion)
            manager.roster(kind, champion)
            task_of(kind).check(validated(manifest.config, f"the settings of {champion}"))
            for number in range(len(manifest.blocks)):
                manager.load_block(kind, champion, number)
            yield Finding(
                "models", "ok", f"{kind}: champion {champion} is undamaged, {counted(manifest.symbols, 'symbol')}"
            )
        except ConfigError as error:
            remedy = "It is of another version of Fleetcast. Use that one, or train again: `fleetcast train`."
            yield Finding("models", "problem", f"{kind}: {error}", remedy)
        except FleetcastError as error:
            yield Finding("models", "problem", f"{kind}: {error}", "Restore the file, or `fleetcast models rollback`.")


def _bars(store: Store) -> Iterator[Finding]:
    """Check how recent the lake's bars are, by the schedule of the symbol with the newest."""
    from features.bars.freshness import freshness
    from features.bars.period import bar_period
    from features.bars.schedule_fit import schedule_of

    lake = Lake(store)
    try:
        infos = lake.info()
        newest = max((info.last for info in infos), default=None)
        dates = None if newest is None else lake.read(next(i.symbol for i in infos if i.last == newest)).dates
    except FleetcastError as error:
        yield Finding("bars", "problem", str(error), "Import the symbol again: `fleetcast data import`.")
        return
    if newest is None or dates is None:
        yield Finding("bars", "ok", "the lake is empty")
        return
    period_days = int(bar_period(dates).seconds // 86_400)
    now = datetime.now(UTC).replace(tzinfo=None)
    judged = freshness(schedule_of(dates), newest.to_pydatetime(), now)
    found = f"{counted(len(infos), 'symbol')}; {judged.text}"
    if judged.stale:
        yield Finding("bars", "warning", found, "Bring them up to date: `fleetcast data fetch` or `data import`.")
    else:
        yield Finding("bars", "ok", found)
    most = max(_MAX_BEHIND_DAYS, period_days)
    behind = [info.symbol for info in infos if (newest - info.last).days > most]
    if behind:
        verb = "ends" if len(behind) == 1 else "end"
        names = ", ".join(behind[:3]) + (", …" if len(behind) > 3 else "")
        yield Finding(
            "bars",
            "warning",
            f"{counted(len(behind), 'symbol')} {verb} more than {most} days before the newest bar ({names})",
            "Fetch them again, or leave out what is no longer traded.",
        )


def _source_bars(store: Store) -> Iterator[Finding]:
    """Check how recent the bars are that champions are served from if the lake has none of their symbols."""
    from features.bars.freshness import freshness
    from features.bars.schedule_fit import schedule_of
    from features.sources import open_source

    manager, in_lake = ModelManager(store), frozenset(Lake(store).symbols())
    checked = {"lake", "yahoo"}  # the lake's are checked, and yahoo's are fetched when they are needed
    for kind in manager.kinds():
        try:
            if (champion := manager.aliases(kind).champion) is None:
                continue
            symbols = manager.roster(kind, champion).symbols()
            name = str(manager.manifest(kind, champion).config["data"]["bars"])
            if name in checked or not in_lake.isdisjoint(symbols):
                continue
            checked.add(name)
            now = datetime.now(UTC).replace(tzinfo=None)
            judged = [
                freshness(schedule_of(bars.dates), bars.dates[-1].astype("datetime64[us]").item(), now)
                for bars in open_source(name, store).load(symbols[:_MAX_JUDGED])
            ]
        except FleetcastError as error:
            yield Finding("bars", "problem", f"{kind}: {error}", "Restore the bars, or train on others.")
            continue
        if judged:
            newest, late = max(judged, key=lambda one: one.last), sum(one.stale for one in judged)
            found = f"{name}, which the {kind} champion is served from: {newest.text}"
            remedy = "Import newer ones: `fleetcast data import` or `data fetch`; what the lake has is served."
            yield Finding("bars", "warning" if late else "ok", found, remedy if late else "")


def _nodes(uri: str) -> Iterator[Finding]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ours = examine(uri, devices=False)
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    alive = [node for node in nodes if node["Alive"]]
    dead = len(nodes) - len(alive)
    yield Finding(
        "cluster",
        "ok",
        f"Ray {ray.__version__}, {counted(len(alive), 'node')}" + (f", {dead} dead" if dead else ""),
    )
    remote: Any = ray.remote(num_cpus=0, max_retries=0)(examine)
    tasks = []
    for node in alive:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        tasks.append((node, remote.options(scheduling_strategy=there).remote(uri), time.time()))
    for node, task, since in tasks:
        name = f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})"
        try:
            facts = ray.get(task, timeout=_NODE_TIMEOUT_S)
        except (ray.exceptions.RayError, TimeoutError) as error:
            lines = str(error).strip().splitlines()
            yield Finding(
                "node",
                "problem",
                f"{name} cannot be examined: {lines[-1] if lines else type(error).__name__}",
                "Check that it runs the same image, with this code on its path.",
            )
            continue
        yield from _node(name, node["Resources"], facts, ours, since)


def _node(
    name: str, resources: dict[str, float], facts: dict[str, Any], ours: dict[str, Any], since: float
) -> Iterator[Finding]:
    """Compare a node's facts, asked for at time ``since``, with those of this process."""
    problems = 0
    if facts["python"].rpartition(".")[0] != ours["python"].rpartition(".")[0]:
        problems += 1
        yield Finding(
            "node", "problem", f"{name} runs Python {facts['python']}, not {ours['python']}", "Use one image."
        )
    other = {
        library: f"{facts['libraries'].get(library, 'none')} instead of {version}"
        for library, version in ours["libraries"].items()
        if facts["libraries"].get(library) != version
    }
    if other:
        problems += 1
        found = ", ".join(f"{library} {versions}" for library, versions in other.items())
        yield Finding("node", "problem", f"{name} has {found}", "Install the pinned versions of pyproject.toml.")
    if facts["code"] != ours["code"]:
        problems += 1
        yield Finding(
            "node", "problem", f"{name} has other code", "Use `fleetcast submit`, which ships the code, or one image."
        )
    if facts["store"]:
        problems += 1
        remedy = _FREE if facts["disk_full"] else "Give a --store that every node reaches."
        yield Finding("node", "problem", f"{name}: {facts['store']}", remedy)
    if not since - _MAX_SKEW_S <= facts["clock"] <= time.time() + _MAX_SKEW_S:
        problems += 1
        yield Finding(
            "node", "warning", f"{name}: its clock is wrong", "Synchronise it (NTP): versions are named by time."
        )
    if resources.get("GPU", 0) and not facts["gpus"]:
        problems += 1
        yield Finding(
            "node",
            "problem",
            f"{name} offers {resources['GPU']:g} GPU, but TensorFlow sees none",
            "Install tensorflow[and-cuda] and the driver there, or start the node without GPUs.",
        )
    if not problems:
        gpus = f", {counted(len(facts['gpus']), 'GPU')}" if facts["gpus"] else ""
        yield Finding("node", "ok", f"{name}: {counted(resources.get('CPU', 0), 'CPU')}{gpus}, same code and versions")

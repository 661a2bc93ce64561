"""``fleetcast models``: list and show versions, promote, roll back and prune; list and remove trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.options.common_options import AsJson, StorePath

if TYPE_CHECKING:
    from training.registry.manager import ModelManager

app = typer.Typer(help="List, show, promote, roll back and prune the versions of models.", no_args_is_help=True)

Kind = Annotated[
    str | None, typer.Option("--kind", help="direction or volatility; needed if a version of both matches.")
]
Version = Annotated[str, typer.Argument(help="A version, a unique beginning of one, champion, previous or latest.")]


@app.command("list")
def list_versions(store: StorePath = ".fleetcast", kind: Kind = None, as_json: AsJson = False) -> None:
    """List versions with their aliases, symbols, horizon, bars, preset, age, size, verdict and headline metric."""
    from cluster.views.model_list import overview, overview_table

    manager = _manager(store)
    rows = overview(manager, _kinds(manager, kind))
    empty = f"No models in {manager.store.uri} yet. Make the first with `fleetcast train`."
    _print(rows, overview_table(rows) if rows else empty, as_json)


@app.command()
def show(
    version: Annotated[str, typer.Argument(help="A version, a beginning of one, an alias or latest.")] = "champion",
    store: StorePath = ".fleetcast",
    kind: Annotated[str | None, typer.Option("--kind", help="direction or volatility; by default each.")] = None,
    config: Annotated[bool, typer.Option("--config", help="Show all settings too.")] = False,
    all_symbols: Annotated[bool, typer.Option("--all-symbols", help="Show the scores of every symbol too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a version, by default the champion of each kind: periods, verdict, metrics next to the baselines."""
    from rich.console import Group

    from cluster.views.model_details import details, details_view

    manager = _manager(store)
    facts = {
        found: details(manager, found, name, all_symbols=all_symbols) for found, name in manager.find_all(version, kind)
    }
    views = [part for one in facts.values() for part in (details_view(one, config=config), "")]
    _print(next(iter(facts.values())) if len(facts) == 1 else facts, Group(*views[:-1]), as_json)


@app.command()
def promote(
    version: Version,
    store: StorePath = ".fleetcast",
    kind: Kind = None,
    reason: Annotated[str, typer.Option(help="Stored in the history.")] = "promoted by hand",
    as_json: AsJson = False,
) -> None:
    """Make a version the champion; the one before becomes previous."""
    manager = _manager(store)
    found_kind, name = manager.find(version, kind)
    before = manager.aliases(found_kind).champion
    aliases = manager.promote(found_kind, name, reason)
    facts = {"kind": found_kind, **aliases.named()}
    state = f"is champion already: {name}" if before == name else f"champion is now {name} (before: {before or 'none'})"
    _print(facts, f"{found_kind} {state}", as_json)


@app.command()
def rollback(store: StorePath = ".fleetcast", kind: Kind = None, as_json: AsJson = False) -> None:
    """Swap champion and previous, for one kind or every kind with a previous version."""
    from configs.errors import ModelError

    manager = _manager(store)
    movable = [k for k in _kinds(manager, kind) if kind or manager.aliases(k).previous]
    if not movable:
        raise ModelError(f"no kind in {manager.store.uri!r} has a previous champion. See `fleetcast models list`.")
    changed = {name: manager.rollback(name, "rolled back by hand").named() for name in movable}
    lines = [f"{name} champion is now {now['champion']} (before: {now['previous']})" for name, now in changed.items()]
    _print(changed, "\n".join(lines), as_json)


@app.command()
def prune(
    store: StorePath = ".fleetcast",
    kind: Kind = None,
    keep: Annotated[int, typer.Option(min=1, help="Number of newest versions to keep.")] = 5,
    grace_hours: Annotated[float, typer.Option(min=0, help="Keep unfinished work changed within this time.")] = 168,
    as_json: AsJson = False,
) -> None:
    """Delete old versions and files of unfinished runs; champion and previous are always kept."""
    from dataclasses import asdict
    from datetime import timedelta

    from cluster.views.model_figures import size
    from configs.words import counted

    manager = _manager(store)
    kinds = [kind] if kind else manager.kinds(published=False)
    freed = {k: manager.prune(k, keep, grace=timedelta(hours=grace_hours)) for k in kinds}
    lines = [
        f"{name}: removed {counted(len(f.versions), 'version')}, "
        f"{counted(len(f.half_versions), 'incomplete version')}, {counted(len(f.runs), 'run')}; freed {size(f.size)}"
        for name, f in freed.items()
    ]
    _print({name: asdict(f) for name, f in freed.items()}, "\n".join(lines) or "Nothing to remove.", as_json)


@app.command()
def trials(
    store: StorePath = ".fleetcast",
    remove: Annotated[str | None, typer.Option(help="A trial, by its id, that should not count.")] = None,
    reason: Annotated[str, typer.Option(help="Of --remove: why; stored with the trial.")] = "",
    as_json: AsJson = False,
) -> None:
    """List all that was tried, by which backtests deflate their Sharpe ratio, or remove a mistaken trial."""
    from datetime import UTC, datetime

    from cluster.views.trial_list import trial_table
    from configs.words import counted
    from training.registry.trials import TrialLedger

    ledger = TrialLedger(_manager(store).store)
    if remove is not None:
        found = ledger.remove(remove, reason, datetime.now(UTC))
        gone_facts = {"removed": found.model_dump(mode="json"), "reason": reason}
        _print(gone_facts, f"{found.name} no longer counts; left: {counted(ledger.tried().trials, 'trial')}", as_json)
        return
    kept, gone = ledger.trials(), ledger.removed()
    rows = [{"id": one.file.removesuffix(".json"), **one.model_dump(mode="json")} for one in kept]
    facts = {"trials": rows, "removed": [one.model_dump(mode="json") for one in gone]}
    empty = f"No trials in {ledger.store.uri} yet."
    _print(facts, trial_table(kept, gone) if kept or gone else empty, as_json)


def _manager(store: str) -> ModelManager:
    from training.registry.manager import ModelManager

    return ModelManager(store)


def _kinds(manager: ModelManager, kind: str | None) -> list[str]:
    if kind is not None:
        manager.resolve(kind)
        return [kind]
    return manager.kinds()


def _print(facts: Any, view: Any, as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(facts, indent=1))
    else:
        from cluster.views.console import make_console

        make_console().print(view, markup=False, highlight=False, soft_wrap=isinstance(view, str))
